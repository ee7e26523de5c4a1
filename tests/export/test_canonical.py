"""A stranger's TFLite file in the form that every later step relies on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.anatomy.graph import read_graph
from edge.errors import DataError
from export.program.canonical import canonical
from tests.export.float_maker import Maker

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(3, 3, 3, 2)).astype(np.float32)


def _network(*, signature: bool = True, old: bool = False, name: str = "y") -> bytes:
    m = Maker()
    x = m.input(1, 4, 4, 2, name="x")
    return m.build(
        m.conv(x, WEIGHT, np.zeros(3, np.float32), name=name), signature=signature, old=old
    )


def _flattened() -> bytes:
    """Return a network that reckons the shape of its RESHAPE from that of its input."""
    m = Maker()
    x = m.input(1, 4, 4, 2)
    y = m.conv(x, WEIGHT, np.zeros(3, np.float32))
    shape = m.node("SHAPE", [y], (4,), dtype="int32", options="ShapeOptions", outType=2)
    ends = [m.constant(np.array([n], np.int32)) for n in (0, 1, 1)]
    batch = m.node("STRIDED_SLICE", [shape, *ends], (), dtype="int32",
                   options="StridedSliceOptions", shrinkAxisMask=1)  # fmt: skip
    rest = m.constant(np.array(-1, np.int32))
    sizes = m.node("PACK", [batch, rest], (2,), dtype="int32", options="PackOptions",
                   valuesCount=2)  # fmt: skip
    return m.build(m.node("RESHAPE", [y, sizes], (1, 1)), signature=False)


def _outputs(content: bytes) -> list[NDArray[Any]]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    x = np.random.default_rng(1).normal(size=detail["shape"]).astype(np.float32)
    interpreter.set_tensor(detail["index"], x)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def test_our_own_files_come_back_as_they_are() -> None:
    content = _network()
    assert canonical(content, where="net") is content


@pytest.mark.parametrize("content", [_network(signature=False, old=True), _flattened()])
def test_the_result_computes_the_same_and_is_final(content: bytes) -> None:
    made = canonical(content, where="net")
    assert made != content
    assert canonical(made, where="net") == made
    assert canonical(content, where="net") == made
    for a, b in zip(_outputs(content), _outputs(made), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_missing_signature_is_written() -> None:
    graph = read_graph(canonical(_network(signature=False), where="net"), where="net")
    assert graph.signature == "serving_default"
    assert ([n for n, _ in graph.inputs], [n for n, _ in graph.outputs]) == (
        ["args_0"],
        ["output_0"],
    )


def test_codes_stand_where_newer_readers_look() -> None:
    from ai_edge_litert import schema_py_generated as schema

    content = canonical(_network(old=True), where="net")
    codes = schema.ModelT.InitFromPackedBuf(content, 0).operatorCodes
    assert [code.builtinCode for code in codes] == [schema.BuiltinOperator.CONV_2D]


@pytest.mark.parametrize("name", ["x", "const1", "x#0"])
def test_each_tensor_gets_a_name_of_its_own(name: str) -> None:
    graph = read_graph(canonical(_network(name=name), where="net"), where="net")
    names = [tensor.name for tensor in graph.tensors]
    assert len(set(names)) == len(names)
    assert "" not in names


def test_sizes_that_were_reckoned_are_written_down() -> None:
    graph = read_graph(canonical(_flattened(), where="net"), where="net")
    assert [node.op for node in graph.nodes] == ["CONV_2D", "RESHAPE"]
    assert graph.tensors[graph.outputs[0][1]].shape == (1, 48)
    shape = graph.tensors[graph.nodes[1].inputs[1]].data
    assert shape is not None and shape.tolist() == [1, -1]


@settings(max_examples=60)
@given(st.data())
def test_damaged_files_are_refused_or_read(data: st.DataObject) -> None:
    content = bytearray(_network(signature=False))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(len(content) // 2, len(content)))]
    try:
        canonical(bytes(content), where="net")
    except DataError as error:
        assert str(error).startswith("net: ")
