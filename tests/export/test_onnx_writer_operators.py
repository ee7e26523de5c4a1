"""Every operator of the table, written as ONNX and run against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e .[test]")

from export.calibration.ranges import observe
from export.onnx_writer import OPERATORS, write_onnx
from export.toolchains.rules import check_rules
from tests.export.onnx_writer_builders import real, whole
from tests.export.onnx_writer_cases import CASES
from tests.export.onnx_writer_kit import (
    Bench,
    error_db,
    model_of,
    run_onnx,
    run_tflite,
    samples_of,
)


def test_every_operator_of_the_table_has_a_case() -> None:
    assert {case.split()[0] for case in CASES} - {"BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND"} == set(
        OPERATORS
    )


@pytest.mark.parametrize("case", CASES)
def test_an_operator_computes_what_litert_computes(case: str) -> None:
    maker = Bench()
    content = maker.build(*CASES[case](maker))
    written = write_onnx(content, precision="fp32", ranges=None, where="test")
    model_of(written)
    assert check_rules(written) == []
    (sample,) = samples_of(content)
    wanted = run_tflite(content, sample)
    found = run_onnx(written, sample)
    assert [a.shape for a in found] == [a.shape for a in wanted]
    assert [a.dtype for a in found] == [a.dtype for a in wanted]
    assert min(error_db(a, b) for a, b in zip(wanted, found, strict=True)) > 90


@pytest.mark.parametrize("opset", [13, 17, 18, 21])
@pytest.mark.parametrize("case", ["MEAN kept", "SUM", "GELU", "HARD_SWISH", "SPLIT", "PAD"])
def test_an_operator_is_right_in_every_opset(case: str, opset: int) -> None:
    maker = Bench()
    content = maker.build(*CASES[case](maker))
    written = write_onnx(content, precision="fp32", ranges=None, opset=opset, where="test")
    assert model_of(written).opset_import[0].version == opset
    (sample,) = samples_of(content)
    pairs = zip(run_tflite(content, sample), run_onnx(written, sample), strict=True)
    assert min(error_db(a, b) for a, b in pairs) > 90


@pytest.mark.parametrize("case", [c for c in CASES if c.split()[0] not in ("CAST", "FLOOR")])
def test_an_operator_is_right_in_half_precision(case: str) -> None:
    maker = Bench()
    content = maker.build(*CASES[case](maker))
    written = write_onnx(content, precision="fp16", ranges=None, where="test")
    model_of(written)
    (sample,) = samples_of(content)
    pairs = zip(run_tflite(content, sample), run_onnx(written, sample), strict=True)
    assert min(error_db(a, b) for a, b in pairs) > 35


@pytest.mark.parametrize("case", [c for c in CASES if not c.startswith("CAST")])
def test_an_operator_between_int8_layers_is_right_and_within_the_rules(case: str) -> None:
    maker = Bench()
    ends = []
    for made in CASES[case](maker):
        size = int(np.prod(maker.shape(made)))
        shape = maker.constant(whole(1, size))
        flat = maker.node("RESHAPE", [made, shape], (1, size), options="ReshapeOptions")
        ends.append(maker.dense(flat, real(3, size), real(3)))
    content = maker.build(*ends)
    samples = samples_of(content, 4)
    ranges = observe(content, samples, where="test")
    written = write_onnx(content, precision="int8", ranges=ranges, where="test")
    model_of(written)
    assert check_rules(written) == []
    pairs = zip(run_tflite(content, samples[0]), run_onnx(written, samples[0]), strict=True)
    assert min(error_db(a, b) for a, b in pairs) > 15
