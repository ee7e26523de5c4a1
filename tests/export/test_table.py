"""The one table that ``make`` and ``convert`` end with."""

from __future__ import annotations

import io
import json
import sys

import pytest

from edge.evidence import Evidence
from export.cli.common import print_table
from export.making.table import Row, render

PROOF = Evidence("accuracy", 0.98225, 0.98, 2094, "mask3/test")
ROWS = (
    Row("mask", "tflite", "fp32", "mask.fp32.tflite", 2048, "fp32", 98.76, 0.9999999, 1.234),
    Row(
        "mask", "onnx", "int8", "mask.int8.onnx", 512_000, "int8 except 2: CONV_2D a, ADD b",
        31.26, 0.9991, 12.5, PROOF, ("bias correction", "mixed precision: 2 layers in float"),
    ),
)  # fmt: skip


def test_a_task_shows_its_metric_and_no_task_the_likeness() -> None:
    head, plain, proven, means = render(ROWS).splitlines()
    assert head.split() == (
        "network format precision KiB metric float → artefact ms computes in".split()
    )
    assert "98.8 dB, cosine 1.00000" in plain and "1.23" in plain
    assert "accuracy 0.9822 → 0.9800" in proven
    assert proven.endswith("int8 except 2"), "which they are stands in the record"
    assert means == "mask: INT8 by bias correction, mixed precision: 2 layers in float"
    assert head.index("metric") == plain.index("98.8") == proven.index("accuracy")


def test_the_json_has_what_the_table_has() -> None:
    table = json.loads(json.dumps(ROWS[1].to_json()))
    assert table["evidence"]["artefact"] == 0.98
    assert table["means"][0] == "bias correction"
    assert json.loads(json.dumps(ROWS[0].to_json()))["evidence"] is None


def test_a_terminal_without_the_arrow_gets_the_table_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    print_table(ROWS)
    sys.stdout.flush()
    assert b"accuracy 0.9822 ? 0.9800" in raw.getvalue()
