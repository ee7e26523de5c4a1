"""A stranger's TFLite file as the float program: what is taken, and what is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.anatomy.graph import read_graph
from edge.errors import ConfigError, DataError, EdgeError, MissingInput
from export.importers.tflite import open_tflite
from tests.export.tflite_maker import Maker, alter, make, ranges_of, samples_of, small, tensor

FLOAT = make(small)
INT8 = make(small, ranges_of(FLOAT, samples_of((1, 16, 16, 3))))


def _open(folder: Path, content: bytes, **size: Any) -> bytes:
    path = folder / "net.tflite"
    path.write_bytes(content)
    return open_tflite(path, **size)


def _run(content: bytes, shape: tuple[int, ...] = (1, 16, 16, 3)) -> NDArray[np.float32]:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=content, num_threads=1).get_signature_runner()
    x = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    found: NDArray[np.float32] = runner(args_0=x)["output_0"]
    return found


def test_a_float_file_is_taken_as_it_is(tmp_path: Path) -> None:
    assert _open(tmp_path, FLOAT) == FLOAT


def test_a_file_without_a_signature_gets_one(tmp_path: Path) -> None:
    content = _open(tmp_path, make(small, signature=False))
    graph = read_graph(content, where="net")
    assert graph.signature == "serving_default"
    assert [name for name, _ in (*graph.inputs, *graph.outputs)] == ["args_0", "output_0"]
    assert np.array_equal(_run(content), _run(FLOAT))


def _half(m: Maker) -> None:
    """A convolution whose weights are kept in half precision."""
    x = m.input("x", (1, 16, 16, 3))
    weights = np.random.default_rng(1).normal(0, 0.4, (8, 3, 3, 3)).astype(np.float16)
    wide = m.dequantize("wide", m.constant("weights", weights))
    out = m.conv("out", x, weights, np.zeros(8))
    m.graph.operators[-1].inputs[1] = wide.index
    m.output(out)


def test_half_precision_weights_are_widened(tmp_path: Path) -> None:
    content = _open(tmp_path, make(_half))
    assert [node.op for node in read_graph(content, where="net").nodes] == ["CONV_2D"]
    assert np.array_equal(_run(content), _run(make(_half)))


def _opened(*signature: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for one in model.subgraphs[0].tensors:
            if one.name == b"x":
                one.shapeSignature = np.array(signature, np.int32)
                one.shape = np.array([max(n, 1) for n in signature], np.int32)

    return change


def test_an_open_batch_becomes_one(tmp_path: Path) -> None:
    content = _open(tmp_path, alter(FLOAT, _opened(-1, 16, 16, 3)))
    model = read_graph(content, where="net")
    assert model.tensors[model.inputs[0][1]].shape == (1, 16, 16, 3)
    assert np.array_equal(_run(content), _run(FLOAT))


def test_an_open_size_is_the_one_asked_for_all_through_the_network(tmp_path: Path) -> None:
    content = alter(FLOAT, _opened(-1, -1, -1, 3))
    with pytest.raises(ConfigError, match=r"input x leaves sizes open: \[1, '\?', '\?', 3\].*HxW"):
        _open(tmp_path, content)
    found = read_graph(_open(tmp_path, content, input_hw=(32, 24)), where="net")
    shapes = {t.name: t.shape for t in found.tensors}
    assert shapes["x"] == (1, 32, 24, 3)
    assert shapes["stem"] == (1, 16, 12, 8)
    assert shapes["probs"] == (1, 4)


def test_a_size_that_the_network_does_not_have_is_refused(tmp_path: Path) -> None:
    content = alter(FLOAT, _opened(-1, 16, 16, 3))
    with pytest.raises(ConfigError, match=r"16, 16.*32x24 was asked for"):
        _open(tmp_path, content, input_hw=(32, 24))


def _dynamic_range(m: Maker) -> None:
    """A convolution on float with INT8 weights."""
    x = m.input("x", (1, 16, 16, 3))
    out = m.conv("out", x, np.ones((4, 1, 1, 3)), np.zeros(4))
    stored = m.constant("stored", np.ones((4, 1, 1, 3), np.int8), np.full(4, 0.1))
    m.graph.operators[-1].inputs[1] = stored.index
    m.output(out)


def _custom(m: Maker) -> None:
    x = m.input("x", (1, 16, 16, 3))
    out = m.dequantize("out", x)
    m.graph.operators.pop()
    m.raw("FlexErf", [x], [out])
    m.output(out)


def _bytes_in(model: Any) -> None:
    from ai_edge_litert import schema_py_generated as schema

    tensor(model, "x").type = schema.TensorType.UINT8


def _not_finite(model: Any) -> None:
    stored = model.buffers[tensor(model, "stem/constant1").buffer]
    values = np.asarray(stored.data).tobytes()
    stored.data = np.frombuffer(np.float32(np.nan).tobytes() + values[4:], np.uint8)


def _vast(model: Any) -> None:
    tensor(model, "stem").shape = np.array([1, 100_000, 100_000, 8], np.int32)


REFUSED = {
    "is quantised already: 7 of 7 operators give int8": INT8,
    r"1 constants are int8 \(dynamic range\)": make(_dynamic_range),
    "operator FlexErf is none of TFLite's own": make(_custom),
    "input args_0 is uint8": alter(FLOAT, _bytes_in),
    "tensor stem/constant1 holds values that are not finite": alter(FLOAT, _not_finite),
    "tensor stem has shape .1, 100000": alter(FLOAT, _vast),
    "is no TFLite file": b"",
    "is a damaged TFLite file": FLOAT[: len(FLOAT) // 2],
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_no_float_network_is_refused_by_name(tmp_path: Path, why: str) -> None:
    with pytest.raises(EdgeError, match=why) as caught:
        _open(tmp_path, REFUSED[why])
    assert "net.tflite" in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"none\.tflite"):
        open_tflite(tmp_path / "none.tflite")


@settings(max_examples=25)
@given(st.data())
def test_damage_is_told_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    content = bytearray(make(small, signature=False))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        opened = _open(tmp_path_factory.mktemp("damaged"), bytes(content))
    except (DataError, ConfigError):
        return
    assert read_graph(opened, where="net").signature
