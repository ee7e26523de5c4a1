"""Hostile and damaged files: each is refused in one line that says what, and nothing is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edge.errors import ConfigError, DataError, EdgeError, MissingInput
from export.importers.onnx import open_onnx
from tests.export.onnx_import.makers import model, node, open_bytes, store, tensor

_X = {"x": (1, 3, 8, 8)}


def _network() -> onnx.ModelProto:
    """Return a sound network of a few nodes."""
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="first", pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"], name="second"),
        node("Flatten", ["r"], ["y"], name="third"),
    ]
    return model(nodes, _X, ["y"], [tensor("w", np.ones((4, 3, 3, 3)))])


def _with(change: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    made = _network()
    change(made)
    return made


def _add_weight(name: str = "w", **fields: Any) -> onnx.ModelProto:
    """Return the network with a stored tensor whose fields are set by hand."""
    made = _network()
    del made.graph.initializer[:]
    made.graph.initializer.append(TensorProto(name=name, **fields))
    return made


def _node(op: str, domain: str = "", **attributes: Any) -> onnx.ModelProto:
    made = _network()
    made.graph.node[1].CopyFrom(node(op, ["c"], ["r"], name="strange", domain=domain, **attributes))
    return made


def _branch() -> onnx.GraphProto:
    return helper.make_graph([], "branch", [], [])


def _external(**entries: str) -> onnx.ModelProto:
    made = _add_weight(data_type=1, dims=[4, 3, 3, 3], data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        made.graph.initializer[0].external_data.add(key=key, value=value)
    return made


def _computed(op: str, constants: dict[str, Any], **attributes: Any) -> onnx.ModelProto:
    nodes = [
        node(op, list(constants), ["c"], name="bomb", **attributes),
        node("Add", ["x", "c"], ["y"]),
    ]
    stored = [tensor(n, v, np.asarray(v).dtype) for n, v in constants.items()]
    return model(nodes, _X, ["y"], stored)


_NAN = np.ones((4, 3, 3, 3), np.float32)
_NAN[1, 2, 0, 0] = np.nan
_FILES: dict[str, tuple[onnx.ModelProto, str, str]] = {
    "no opset": (_with(lambda m: m.ClearField("opset_import")), "no version", "source.format"),
    "old opset": (
        _with(lambda m: setattr(m.opset_import[0], "version", 8)),
        "opset 8",
        "source.format",
    ),
    "new opset": (
        _with(lambda m: setattr(m.opset_import[0], "version", 22)),
        "opset 22",
        "source.format",
    ),
    "functions": (_with(lambda m: m.functions.add(name="evil")), "'evil'", "source.operator"),
    "training": (_with(lambda m: m.training_info.add()), "training", "source.operator"),
    "sparse": (_with(lambda m: m.graph.sparse_initializer.add()), "sparse", "source.operator"),
    "no nodes": (_with(lambda m: m.graph.ClearField("node")), "no network", "source.format"),
    "custom domain": (
        _node("Relu", "com.microsoft"),
        "com.microsoft.Relu (node 'strange')",
        "source.operator",
    ),
    "unknown": (_node("Einsum", equation="ij->ji"), "Einsum (node 'strange')", "source.operator"),
    "branch": (_node("If", then_branch=_branch(), else_branch=_branch()), "If", "source.operator"),
    "loop": (_node("Loop", body=_branch()), "Loop", "source.operator"),
    "graph attribute": (_node("Relu", body=_branch()), "'body'", "source.operator"),
    "reference": (
        _with(
            lambda m: m.graph.node[0].attribute[0].MergeFrom(onnx.AttributeProto(ref_attr_name="p"))
        ),
        "'pads'",
        "source.operator",
    ),
    "missing tensor": (
        _with(lambda m: m.graph.node[1].input.__setitem__(0, "ghost")),
        "reads 'ghost', which is made never",
        "source.damaged",
    ),
    "cycle": (
        _with(lambda m: m.graph.node[0].input.__setitem__(0, "r")),
        "'first'",
        "source.damaged",
    ),
    "itself": (
        _with(lambda m: m.graph.node[1].input.__setitem__(0, "r")),
        "'second'",
        "source.damaged",
    ),
    "unsorted": (_with(lambda m: m.graph.node.reverse()), "only later", "source.damaged"),
    "made twice": (
        _with(lambda m: m.graph.node[1].output.__setitem__(0, "c")),
        "'c'",
        "source.damaged",
    ),
    "made and stored": (
        _with(
            lambda m: (
                m.graph.node[1].output.__setitem__(0, "w"),
                m.graph.node[2].input.__setitem__(0, "w"),
            )
        ),
        "'w'",
        "source.damaged",
    ),
    "stored twice": (
        _with(lambda m: m.graph.initializer.append(m.graph.initializer[0])),
        "'w'",
        "source.damaged",
    ),
    "no maker": (
        _with(lambda m: setattr(m.graph.output[0], "name", "ghost")),
        "'ghost'",
        "source.operator",
    ),
    "input is output": (
        _with(lambda m: setattr(m.graph.output[0], "name", "x")),
        "'x'",
        "source.operator",
    ),
    "no text": (
        _with(lambda m: m.graph.node[1].MergeFromString(b"\x1a\x02\xff\xfe")),
        "no text",
        "source.damaged",
    ),
    "no inputs": (
        _with(lambda m: m.graph.node[1].ClearField("input")),
        "'second'",
        "source.operator",
    ),
    "no results": (
        _with(lambda m: m.graph.node[2].output.insert(0, "")),
        "'third'",
        "source.operator",
    ),
    "nan": (
        _with(lambda m: m.graph.initializer[0].CopyFrom(tensor("w", _NAN))),
        "'w'",
        "source.damaged",
    ),
    "infinite": (
        _with(lambda m: m.graph.initializer[0].CopyFrom(tensor("w", _NAN * 0 + np.inf))),
        "'w'",
        "source.damaged",
    ),
    "too large for a float": (
        _add_weight(data_type=11, dims=[2], double_data=[1.0, 1e300]),
        "'w'",
        "source.damaged",
    ),
    "few bytes": (
        _add_weight(data_type=1, dims=[4, 3, 3, 3], raw_data=b"1234"),
        "4 bytes",
        "source.size",
    ),
    "few numbers": (
        _add_weight(data_type=1, dims=[4, 3, 3, 3], float_data=[1.0]),
        "1 numbers",
        "source.size",
    ),
    "giant": (_add_weight(data_type=1, dims=[2**31, 2**31, 2**31]), "larger than", "source.size"),
    "negative": (_add_weight(data_type=1, dims=[-4, 3, 3, 3]), "-4", "source.size"),
    "many axes": (_add_weight(data_type=1, dims=[1] * 40), "shape", "source.size"),
    "text": (_add_weight(data_type=8, dims=[1], string_data=[b"x"]), "data type 8", "source.dtype"),
    "no type": (_add_weight(dims=[1]), "data type 0", "source.dtype"),
    "outside": (_external(location="../secret"), "'../secret'", "source.outside"),
    "absolute": (_external(location="/etc/passwd"), "'/etc/passwd'", "source.outside"),
    "within and out": (_external(location="a/../../secret"), "plain relative", "source.outside"),
    "no location": (_external(offset="0"), "plain relative", "source.outside"),
    "not there": (_external(location="weights.bin"), "cannot be read", "source.missing"),
    "negative offset": (_external(location="w", offset="-8"), "offset '-8'", "source.outside"),
    "wrong length": (_external(location="w", length="7"), "'w' needs 432 bytes", "source.size"),
    "constant of shape": (
        _computed("ConstantOfShape", {"s": np.int64([2**40, 2**20])}),
        "'bomb'",
        "source.operator",
    ),
    "negative shape": (
        _computed("ConstantOfShape", {"s": np.int64([-3])}),
        "'bomb'",
        "source.operator",
    ),
    "endless range": (
        _computed("Range", {"a": np.int64(0), "b": np.int64(2**60), "d": np.int64(1)}),
        "'bomb'",
        "source.operator",
    ),
    "range without a step": (
        _computed("Range", {"a": np.int64(0), "b": np.int64(9), "d": np.int64(0)}),
        "'bomb'",
        "source.operator",
    ),
    "expand": (
        _computed("Expand", {"v": np.float32([1]), "s": np.int64([2**20, 2**20])}),
        "'bomb'",
        "source.operator",
    ),
    "tile": (
        _computed("Tile", {"v": np.float32([1, 2]), "s": np.int64([2**40])}),
        "'bomb'",
        "source.operator",
    ),
    "large product": (
        _computed(
            "MatMul", {"a": np.ones((2**14, 1), np.float32), "b": np.ones((1, 2**14), np.float32)}
        ),
        "'bomb'",
        "source.size",
    ),
}
#: Refused only once the meaning of a node is asked for.
_LATE = {
    "expand",
    "tile",
    "large product",
    "constant of shape",
    "negative shape",
    "endless range",
    "range without a step",
}


@pytest.mark.parametrize("name", _FILES)
def test_a_hostile_file_is_refused(name: str, tmp_path: Path) -> None:
    made, what, code = _FILES[name]
    if name in _LATE:
        pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")
    path = store(tmp_path / "net.onnx", made)
    with pytest.raises(EdgeError) as caught:
        open_onnx(path)
    assert what in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.code == code
    assert os.listdir(tmp_path) == ["net.onnx"]


def test_all_unknown_operators_are_named_at_once(tmp_path: Path) -> None:
    made = model(
        [
            node("TopK", ["x"], ["a"], name="one"),
            node("TopK", ["a"], ["b"], name="two"),
            node("NonMaxSuppression", ["b"], ["y"], name="three"),
        ],
        _X,
        ["y"],
    )
    with pytest.raises(ConfigError, match=r"NonMaxSuppression \(node 'three'\), TopK .*1 more"):
        open_bytes(tmp_path, made)


def test_what_the_outputs_do_not_need_is_not_looked_at(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")
    made = _with(lambda m: m.graph.node.append(node("TopK", ["c"], ["unused"])))
    assert open_bytes(tmp_path, made).operators == {"Conv": 1, "Flatten": 1, "Relu": 1}


def test_a_missing_an_empty_and_a_huge_file(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"none\.onnx"):
        open_onnx(tmp_path / "none.onnx")
    with pytest.raises(MissingInput):
        open_onnx(tmp_path)
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(DataError, match="holds no network"):
        open_onnx(tmp_path / "empty.onnx")
    with (tmp_path / "huge.onnx").open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(DataError, match="larger than"):
        open_onnx(tmp_path / "huge.onnx")


@pytest.mark.parametrize("part", range(0, 100, 4))
def test_a_cut_file_is_refused(part: int, tmp_path: Path) -> None:
    content = _network().SerializeToString()
    path = tmp_path / "net.onnx"
    path.write_bytes(content[: len(content) * part // 100])
    with pytest.raises(EdgeError):
        open_onnx(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), max_size=4))
def test_a_changed_file_is_read_or_refused(flips: list[tuple[int, int]], tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")
    content = bytearray(_network().SerializeToString())
    for place, change in flips:
        content[place % len(content)] ^= change
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    try:
        open_onnx(path)
    except EdgeError as error:
        assert "net.onnx" in str(error) and "\n" not in str(error)


@given(content=st.binary(max_size=200))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(EdgeError):
        open_onnx(path)


def test_external_data_is_read_from_the_folder(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")
    (tmp_path / "parts").mkdir()
    values = np.arange(108, dtype=np.float32)
    (tmp_path / "parts" / "w.bin").write_bytes(b"1234" + values.tobytes())
    network = open_bytes(tmp_path, _external(location="parts/w.bin", offset="4", length="432"))
    (weight,) = (t for t in network.module.buffers() if t.shape == (4, 3, 3, 3))
    assert (weight.numpy().ravel() == values).all()


def test_external_data_that_is_no_plain_file_inside_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret").write_bytes(bytes(432))
    (home / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match="outside the folder"):
        open_bytes(home, _external(location="link"))
    os.mkfifo(home / "pipe")
    with pytest.raises(DataError, match="shorter"):
        open_bytes(home, _external(location="pipe"))
    (home / "short").write_bytes(bytes(431))
    with pytest.raises(DataError, match="shorter"):
        open_bytes(home, _external(location="short"))
    (home / "loop").symlink_to(home / "loop")
    with pytest.raises(DataError, match="cannot be read"):
        open_bytes(home, _external(location="loop"))


def test_external_data_is_bounded_as_a_whole(tmp_path: Path) -> None:
    """A small file cannot ask for the same gigabyte again and again."""
    made = model(
        [
            node("Concat", [f"w{i}" for i in range(3)], ["c"], axis=0),
            node("Add", ["x", "c"], ["y"]),
        ],
        {"x": (1, 3)},
        ["y"],
    )
    for number in range(3):
        weight = made.graph.initializer.add(name=f"w{number}", data_type=2, dims=[2**29])
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="w.bin")
    with pytest.raises(DataError, match=r"'w0'.*w\.bin"):
        open_bytes(tmp_path, made)


_OPEN: Any = {
    "open size": ({"x": ("N", 3, "H", "W")}, "dynamic shapes without a size"),
    "open channels": ({"x": (1, "C", 8, 8)}, "dynamic shapes without a size"),
    "no shape": ({"x": ()}, "no tensor of floats"),
    "giant": ({"x": (1, 3, 2**20, 2**20)}, "is a tensor of"),
    "beyond counting": ({"x": (1, 3, 2**62, 2**62)}, "is a tensor of"),
}


@pytest.mark.parametrize("name", _OPEN)
def test_an_input_without_a_usable_shape_is_refused(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")
    inputs, what = _OPEN[name]
    with pytest.raises(EdgeError, match=what) as caught:
        open_bytes(tmp_path, model([node("Relu", ["x"], ["y"])], inputs, ["y"]))
    assert "'x'" in str(caught.value)
    if name == "open size":
        assert "--imgsz HxW" in caught.value.hint


_GIANT = 2**40
_BOMBS: dict[str, Any] = {
    "dilated": ("ConvTranspose", (3, 1, 3, 3), {"dilations": [_GIANT, _GIANT]}),
    "stretched": ("ConvTranspose", (3, 1, 3, 3), {"strides": [4096, 4096], "group": 3}),
    "far apart": ("ConvTranspose", (3, 1, 3, 3), {"strides": [_GIANT, _GIANT], "group": 3}),
    "grown": ("ConvTranspose", (3, 1, 3, 3), {"output_padding": [_GIANT, _GIANT]}),
    "padded": ("Conv", (4, 3, 3, 3), {"pads": [_GIANT] * 4}),
    "wide pads": ("Conv", (4, 3, 3, 3), {"pads": [0, 4096, 4096, 4096]}),
    "average": ("AveragePool", None, {"kernel_shape": [_GIANT] * 2, "pads": [_GIANT - 1] * 4}),
    "resized": ("Upsample", (4,), {}),
    "bordered": ("Pad", None, {"pads": [0, 0, 0, 0, 0, 0, _GIANT, 0], "mode": "edge"}),
}


@pytest.mark.parametrize("name", _BOMBS)
def test_numbers_that_would_fill_the_memory_are_refused(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")
    op, shape, attributes = _BOMBS[name]
    made = node(op, ["x", "w"] if shape else ["x"], ["y"], name="bomb", **attributes)
    weight = [] if shape is None else [tensor("w", np.full(shape, 1000.0))]
    opset = 9 if op in ("Upsample", "Pad") else 11
    with pytest.raises(EdgeError, match="'bomb'"):
        open_bytes(tmp_path, model([made], {"x": (1, 3, 64, 64)}, ["y"], weight, opset=opset))


def test_inputs_of_whole_numbers_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")
    made = _with(lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 7))
    with pytest.raises(ConfigError, match="no tensor of floats"):
        open_bytes(tmp_path, made)
