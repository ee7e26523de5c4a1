"""What the inspector says is read whatever it says; the pool is sized to what is free."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.board.system import System
from edge.errors import DataError, TransientError
from export.toolchains.tensorrt.layers import PlanLayer, by_operator, from_json, read_layers
from export.toolchains.tensorrt.memory import workspace_mib


def _one(entry: object, *names: str) -> PlanLayer:
    (layer,) = read_layers(json.dumps({"Layers": [entry]}), set(names), where="mask")
    return layer


@pytest.mark.parametrize("split", ["\x1e", "\x1f", ""])
def test_operators_out_of_the_metadata(split: str) -> None:
    metadata = split.join(f"[ONNX Layer: {name}]" for name in ("a[0]", "node_of_b", "c d"))
    assert _one({"Name": "x", "Metadata": metadata}).operators == ("a[0]", "b", "c d")


def test_a_name_of_a_deep_module_stays_whole() -> None:
    name = "net.Block/" * 90 + "Conv;1/linear"
    layer = _one({"Name": f"{name} + other", "Metadata": f"[ONNX Layer: {name}]"})
    assert by_operator(from_json([layer.to_json()]))[name].operators == (name,)


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        ("stem/linear + stem", ("stem/linear", "stem")),
        ("stem/linear + PWN(stem)", ("stem/linear", "stem")),
        ("PWN(stem, node_of_other)", ("stem", "other")),
        ("Reformatting CopyNode for Input Tensor 0 to stem", ()),
    ],
)
def test_operators_out_of_the_name_before_8_6(name: str, operators: tuple[str, ...]) -> None:
    assert _one({"Name": name}, "stem", "stem/linear", "node_of_other").operators == operators
    assert _one(name, "stem", "stem/linear", "node_of_other").operators == operators


@pytest.mark.parametrize(
    ("before", "behind", "precision"),
    [
        ("Four wide channel vectorized row major Int8 format", "Row major Int8 format", "int8"),
        ("Row major linear FP32", "Row major linear Int8 format", "float32 to int8"),
        ("Half NHWC", "Float", "float16 to float32"),
        ("", "Row major linear FP16 format", "float16"),
        ("Four bytes of nothing", "", ""),
    ],
)
def test_types_of_what_flows(before: str, behind: str, precision: str) -> None:
    tensors = [[{"Name": "x", "Format/Datatype": said}] for said in (before, behind)]
    entry = {"Name": "x", "Inputs": tensors[0], "Outputs": tensors[1]}
    assert _one(entry).precision == precision


def test_types_have_a_field_of_their_own_from_11_on() -> None:
    tensors = [{"Name": "x", "DataType": "Int8", "Format": "Row major linear (kLINEAR)"}]
    assert _one({"Name": "x", "Inputs": tensors, "Outputs": tensors}).precision == "int8"


def test_of_two_kernels_the_one_that_computes_last_counts() -> None:
    entries = [{"Name": f"{i}", "Metadata": "[ONNX Layer: stem]"} for i in range(2)]
    layers = read_layers(json.dumps({"Layers": entries}), set(), where="mask")
    assert by_operator(layers)["stem"].index == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"Layers": 3}', "[" * 100_000])
def test_what_is_no_list_of_layers(text: str) -> None:
    with pytest.raises(DataError, match="inspector"):
        read_layers(text, set(), where="mask")


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_ENTRY = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("Name", "Metadata", "Inputs", "Outputs", "TacticName"), _JSON)
)


# On a busy machine the first text alone takes a second.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_ENTRY | _JSON))
def test_any_entries_are_read_and_written_back(entries: list[object]) -> None:
    layers = read_layers(json.dumps({"Layers": entries}), {"stem"}, where="mask")
    assert len(layers) == len(entries)
    assert from_json([layer.to_json() for layer in layers]) == layers


def _machine(folder: Path, free_mib: int | None) -> System:
    (folder / "proc").mkdir()
    if free_mib is not None:
        text = f"MemTotal: 8000000 kB\nMemAvailable: {free_mib * 1024} kB\n"
        (folder / "proc/meminfo").write_text(text, encoding="utf-8")
    return System(folder)


@pytest.mark.parametrize(
    ("free_mib", "wanted_mib", "pool_mib"),
    [(6000, None, 1024), (2024, None, 500), (1152, None, 64), (6000, 4000, 4000), (None, None, 64)],
)
def test_the_pool_is_half_of_what_is_left(
    tmp_path: Path, free_mib: int | None, wanted_mib: int | None, pool_mib: int
) -> None:
    assert workspace_mib(_machine(tmp_path, free_mib), wanted_mib) == pool_mib


@pytest.mark.parametrize(("free_mib", "wanted_mib"), [(1151, None), (0, None), (4000, 4001)])
def test_too_little_is_told_with_the_figure(
    tmp_path: Path, free_mib: int, wanted_mib: int | None
) -> None:
    with pytest.raises(TransientError, match=f"{free_mib} MiB of memory are free") as caught:
        workspace_mib(_machine(tmp_path, free_mib), wanted_mib)
    assert caught.value.code == "build.memory"
