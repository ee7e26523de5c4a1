from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from edge.errors import DataError
from export.proof.page import page
from export.proof.record import SCHEMA, earlier_rows, record
from export.proof.row import ORIGINAL, Made, Row, Tried


def _figures(**measures: float) -> dict[str, Any]:
    table: dict[str, Any] = {"task": "detect", "data": "scenes/test", "n": 40}
    for name, value in measures.items():
        table |= {name: value, f"{name}_ci95": [value - 0.1, value + 0.1], f"{name}_n": 40}
    return table


MADE = tuple(
    Made(f, p, size=2048, label="int8", sqnr_db=(40.0, 31.5), ms=1.25, transposes=1, quantizes=2)
    for f, p in (
        ("tflite", "fp32"),
        ("tflite", "fp16"),
        ("tflite", "int8"),
        ("onnx", "fp32"),
    )
)
STOPPED = Made("onnx", "int8", stopped="operator NonMaxSuppression is not supported")
TRIED = Tried(
    "scenes/test",
    ("recall", "precision"),
    {
        ORIGINAL: _figures(recall=0.8, precision=0.9),
        "tflite int8": _figures(recall=0.79, precision=0.93),
    },
)
ROW = Row("finder", "finder.onnx", "MIT", "onnx", "", 3.2, (*MADE, STOPPED), (TRIED,))
GONE = Row("gone", "", "", "", absent="not at hand")


def test_a_loss_is_the_worst_of_all_metrics_in_points() -> None:
    assert TRIED.loss("tflite int8") == pytest.approx(1.0)
    figures = {ORIGINAL: _figures(nme=0.05), "tflite int8": _figures(nme=0.056)}
    assert Tried("d", ("nme",), figures).loss("tflite int8") == pytest.approx(0.6)


def _record(**rows: Row) -> dict[str, Any]:
    return record(["finder", "gone"], rows, {}, limit=None)


def test_the_record_is_plain_and_holds_the_losses() -> None:
    written = json.loads(json.dumps(_record(gone=GONE, finder=ROW)))
    assert [row["name"] for row in written["rows"]] == ["finder", "gone"]
    assert written["rows"][0]["trials"][0]["loss_points"] == {"tflite int8": 1.0}
    assert written["schema"] == SCHEMA


def test_the_page_has_every_network_and_says_what_stops_one() -> None:
    loud = dataclasses.replace(MADE[2], findings=("layer conv_3: its bias runs over",))
    row = dataclasses.replace(ROW, artefacts=(*MADE[:2], loud, MADE[3], STOPPED))
    text = page(_record(finder=row, gone=GONE))
    lines = text.splitlines()
    finder = next(line for line in lines if line.startswith("| finder | onnx"))
    assert "| 3 | 2 / 2 / 2 / – | 31.5 | 31.5 / – | 1.25 / 1.25 / – | 1, 2 | int8 |" in finder
    assert any(line.startswith("| gone |") and "not at hand" in line for line in lines)
    assert "0.8000 (0.700 to 0.900) | 0.7900 (0.690 to 0.890) | – | -1.00 / – |" in text
    assert "- finder, onnx int8: operator NonMaxSuppression is not supported" in lines
    assert "- finder, tflite int8: layer conv_3: its bias runs over" in lines
    assert "trial run" not in text
    # Every line of a table has as many cells as the one above it.
    for above, line in itertools.pairwise(lines):
        if above.startswith("|") and line.startswith("|"):
            assert above.count("|") == line.count("|")


def test_float32_that_falls_short_is_held_against_double_precision() -> None:
    near = dataclasses.replace(MADE[0], sqnr_db=(89.0,), double_db=(91.6, 92.1))
    row = dataclasses.replace(ROW, artefacts=(near, *MADE[1:], STOPPED))
    text = page(json.loads(json.dumps(_record(finder=row))))
    assert (
        "- finder, tflite fp32: 89.0 dB from the original, which is itself 91.6 dB from double "
        "precision; the artefact 92.1 dB"
    ) in text.splitlines()
    (line,) = (line for line in text.splitlines() if line.startswith("| finder | onnx |"))
    assert "| 89.0 (92.1 of double) |" in line
    assert "double" not in page(_record(finder=ROW))


def test_rows_that_are_not_made_again_stay(tmp_path: Path) -> None:
    path = tmp_path / "foreign.json"
    path.write_text(json.dumps(_record(finder=ROW)))
    earlier = earlier_rows(path, limit=None)
    merged = record(["gone", "finder"], {"gone": GONE}, earlier, limit=None)
    assert [row["name"] for row in merged["rows"]] == ["gone", "finder"]
    assert earlier_rows(path, limit=10) == {}  # other numbers of pictures do not mix
    assert earlier_rows(tmp_path / "none.json", limit=None) == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"schema": "else/1"}', b'{"schema": "unveil-edge.foreign/1"}', b"\xff"],
)
def test_what_is_no_record_is_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is no record"):
        earlier_rows(path, limit=None)
    assert path.read_bytes() == content
