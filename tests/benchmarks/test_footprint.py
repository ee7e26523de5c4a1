"""The runtime stays small, measured in processes of its own on the shipped bundle."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from benchmarks.footprint import measure_footprint
from edge.errors import EdgeError


def test_a_picture_takes_less_than_200_mb(tmp_path: Path) -> None:
    data = pytest.importorskip("skimage.data", reason="needs scikit-image: pip install .[test]")
    picture = tmp_path / "astronaut.png"
    cv2.imwrite(str(picture), cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR))
    footprint = measure_footprint(picture)
    assert 40 < footprint.resident_mib < 200
    assert footprint.import_ms < 400
    assert footprint.first_result_ms > footprint.import_ms


def test_a_failing_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="exit code 66"):
        measure_footprint(tmp_path / "nowhere.png")
