"""A file whose card lies beside it is converted by what the card says."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export import convert
from export.cards.beside import card_of
from export.cli import main
from tests.export.makers import write_data
from tests.export.tflite_maker import Maker, make

CARD = """
name = "bright"
task = "mask"
summary = "for tests"
licence = "Apache-2.0"
[source]
file = "net.tflite"
training = "quantisation-aware"
[contract]
labels = ["masked", "unmasked", "incorrect"]
[contract.crop]
kind = "box"
[[contract.inputs]]
meaning = "image"
shape = [1, 32, 32, 3]
colour = "BGR"
[[contract.outputs]]
meaning = "logits"
shape = [1, 3]
[calibration]
pack = "tiny"
split = "train"
count = 300
[evidence]
pack = "tiny"
split = "test"
metric = "accuracy"
max_drop = 0.1
[tuning]
pack = "tiny"
split = "val"
metric = "accuracy"
[data]
packs = ["tiny"]
terms = "made for tests"
"""

#: Needs neither PyTorch nor the quantiser.
ONNX = ("--format", "onnx", "--half")

needs_quantiser = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_quantizer") is None,
    reason="needs ai-edge-quantizer: make test-export",
)


def _bright(m: Maker, sign: float = 1.0) -> None:
    """Bright pictures are masked, dark ones are not."""
    pooled = m.mean("pooled", m.input("x", (1, 32, 32, 3)))
    weight = np.array([[sign] * 3, [-sign] * 3, [0.0] * 3])
    m.output(m.dense("logits", pooled, weight, np.zeros(3)))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a network, its card, and its pictures in ``data``."""
    (tmp_path / "net.tflite").write_bytes(make(_bright))
    (tmp_path / "model.toml").write_text(CARD)
    write_data(tmp_path / "data")
    return tmp_path


def _convert(home: Path, *flags: str, file: str = "net.tflite") -> int:
    out, work = str(home / "out"), str(home / "work")
    return main(["convert", str(home / file), "--out", out, "--work", work, *flags])


def _rows(text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(text)["networks"][0]["artefacts"]
    return rows


def test_the_card_names_the_network_and_proves_it_on_its_task(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _convert(home, *ONNX, "--data", str(home / "data"), "--json") == 0
    (row,) = _rows(capsys.readouterr().out)
    assert (row["network"], row["file"]) == ("bright", "bright.fp16.onnx")
    assert (row["evidence"]["float"], row["evidence"]["artefact"]) == (1.0, 1.0)
    assert (row["evidence"]["data"], row["evidence"]["n"]) == ("tiny/test", 12)
    assert _convert(home, *ONNX, "--data", str(home / "data")) == 0
    assert "accuracy 1.0000 → 1.0000" in capsys.readouterr().out


def test_without_its_data_packs_the_outputs_are_compared(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _convert(home, *ONNX, "--json") == 0
    (row,) = _rows(capsys.readouterr().out)
    assert row["evidence"] is None and row["cosine_min"] > 0.999


def test_from_python_the_card_is_used_as_well(home: Path) -> None:
    done = convert(home / "net.tflite", wanted=[("onnx", "fp16")])
    assert done.rows[0].network == "bright"
    assert done.artefacts[0].contract.labels == ("masked", "unmasked", "incorrect")


def test_the_folder_stands_for_its_network(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _convert(home, "--dry-run", file=".") == 0
    assert capsys.readouterr().out.endswith("bright.fp32.tflite\n")


def test_the_card_of_another_file_is_none_of_this_one(home: Path) -> None:
    (home / "other.tflite").write_bytes((home / "net.tflite").read_bytes())
    assert card_of(home / "other.tflite") is None
    assert card_of(home / "data") is None
    for path in (home, home / "net.tflite"):
        card = card_of(path)
        assert card is not None and card.name == "bright"
    # But it may be said to be.
    assert _convert(home, "--card", str(home / "model.toml"), file="other.tflite") == 0
    assert (home / "out" / "bright.fp32.tflite").is_file()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--colour", "RGB"), "says what the pictures"),
        (("--int8", "--data", "{home}/data", "--min-db", "9", "--max-drop", "1"), "one of them"),
        (("--max-drop", "1"), "no INT8 is wanted"),
    ],
)
def test_what_contradicts_the_card_or_itself_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], said: str
) -> None:
    assert _convert(home, *(flag.format(home=home) for flag in flags)) == 64
    captured = capsys.readouterr()
    assert said in captured.err.splitlines()[-1]
    assert not (home / "out").exists()


@needs_quantiser
def test_a_drop_is_held_on_tuning_data_and_the_means_are_told(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--int8", "--data", str(home / "data"), "--max-drop", "0.5", "--correct-bias")
    assert _convert(home, *flags) == 0
    captured = capsys.readouterr()
    assert "layers are chosen on tiny/val, accuracy" in captured.err
    means = [
        "quantisation-aware training", "bias correction", "mixed precision: 0 layers in float",
    ]  # fmt: skip
    assert captured.out.splitlines()[-1] == f"bright: INT8 by {', '.join(means)}"
    record = json.loads((home / "out" / "bright.json").read_text())
    assert record["means"] == means
    assert record["mixed"]["layers"] == []
    assert record["calibration"]["source"] == "tiny"
    assert record["compared_with"] == "float program"


@needs_quantiser
def test_a_drop_without_a_task_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "model.toml").unlink()
    flags = ("--colour", "RGB", "--mean", "127.5", "--std", "127.5")
    data = ("--data", str(home / "data" / "tiny"))
    assert _convert(home, "--int8", *data, *flags, "--max-drop", "0.5") == 64
    assert "this network has no task" in capsys.readouterr().err
    assert not (home / "out").exists()
