"""``edge-export inspect`` tells TensorRT's rules, and what a board's TensorRT made of a layer."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")

from export.cli import main
from export.toolchains.builds import LAYERS_SCHEMA
from tests.trt.nets import network

KERNELS = [
    {"name": "a", "kind": "Reformat", "precision": "int8", "operators": [], "tactic": ""},
    {
        "name": "b",
        "kind": "CaskConvolution",
        "precision": "int8",
        "operators": ["stem/linear", "stem"],
        "tactic": "sm80",
    },
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mask.onnx"
    path.write_bytes(network("int8"))
    return path


def _layers(file: Path, **fields: Any) -> str:
    table = {
        "schema": LAYERS_SCHEMA,
        "onnx_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "layers": KERNELS,
        **fields,
    }
    path = file.with_suffix(".layers.json")
    path.write_text(json.dumps(table), encoding="utf-8")
    return str(path)


def _inspected(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found = json.loads(capsys.readouterr().out)
    return {row["name"]: row["built"] for row in found["layers"]}


def test_kernels_stand_beside_the_layers(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["inspect", str(file), "--built", _layers(file)]
    assert main([*command, "--json"]) == 0
    built = _inspected(capsys)
    assert built["stem"] == built["stem/linear"] == {"index": 1, **KERNELS[1]}
    assert built["inner"] is None
    page = file.with_suffix(".html")
    assert main([*command, "--html", str(page)]) == 0
    said = capsys.readouterr().out
    assert "read by TensorRT: from 8.5 on" in said
    assert any(line.endswith("1 int8") for line in said.splitlines())
    assert "1 int8" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "fields", [{"schema": "other/1"}, {"onnx_sha256": "0" * 64}], ids=["schema", "other network"]
)
def test_what_says_nothing_of_this_network(
    file: Path, capsys: pytest.CaptureFixture[str], fields: dict[str, Any]
) -> None:
    assert main(["inspect", str(file), "--built", _layers(file, **fields)]) == 65
    assert "[inspect.built]" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "{}", "7", "[" * 100_000])
def test_what_is_no_such_file(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (tmp_path / "layers.json").write_text(content, encoding="utf-8")
    assert main(["inspect", str(file), "--built", str(tmp_path / "layers.json")]) == 65


def test_entries_of_any_kind_are_read_or_passed_over(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = [None, 3, {"operators": [7, "stem"], "precision": 1}, {"operators": "stem"}]
    assert main(["inspect", str(file), "--built", _layers(file, layers=layers), "--json"]) == 0
    built = _inspected(capsys)
    assert built["stem"]["index"] == 2 and built["inner"] is None


def test_a_broken_rule_is_told_and_fails(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import onnx

    model = onnx.load_from_string(network("int8"))
    pair = next(node for node in model.graph.node if node.output[0] == "stem/q")
    model.graph.initializer.append(onnx.helper.make_tensor("three", onnx.TensorProto.INT8, [], [3]))
    pair.input[2] = "three"
    file.write_bytes(model.SerializeToString())
    page = file.with_suffix(".html")
    assert main(["inspect", str(file), "--html", str(page)]) == 3
    told = "stem/q: its zero point is not 0 (zero-point: onnx-tensorrt, onnxOpImporters.cpp"
    assert f"TENSORRT: {told}" in capsys.readouterr().out
    assert told in page.read_text(encoding="utf-8")


def test_float_files_are_held_to_no_rule_of_quantisation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import onnx

    model = onnx.load_from_string(network("fp32"))
    model.graph.node[-1].domain = "com.example"
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    (tmp_path / "other.onnx").write_bytes(model.SerializeToString())
    assert main(["inspect", str(tmp_path / "other.onnx")]) == 0
    assert "read by TensorRT: no release" in capsys.readouterr().out
