"""What a painter earns who knows the hidden face through a blur."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.blurred import main, measure
from benchmarks.tasks.pair_folder import PairFolder


def _folder(folder: Path, *, cover: bool = True) -> Path:
    rng = np.random.default_rng(5)
    for side in ("clean", "masked") + (("cover",) if cover else ()):
        (folder / side).mkdir()
    for i in range(3):
        bare = cv2.GaussianBlur(rng.integers(0, 256, (48, 48, 3), np.uint8), (0, 0), 2)
        over = np.zeros((48, 48), np.uint8)
        over[24:] = 255
        cv2.imwrite(str(folder / f"clean/{i}.png"), bare)
        cv2.imwrite(str(folder / f"masked/{i}.png"), bare)
        if cover:
            cv2.imwrite(str(folder / f"cover/{i}.png"), over)
    return folder


def test_the_less_is_known_the_less_is_earned(tmp_path: Path) -> None:
    folder = PairFolder(_folder(tmp_path))
    known = measure(folder, folder.rows, sigmas_px=(0.5, 2.0, 8.0))
    decibels = [row.psnr.value for row in known]
    alike = [row.ssim.value for row in known]
    assert decibels == sorted(decibels, reverse=True)
    assert alike == sorted(alike, reverse=True)
    assert all(row.psnr.n == 3 and row.psnr.ci95[0] <= row.psnr.value for row in known)


def test_only_what_is_covered_is_blurred() -> None:
    bare = np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)
    nothing = np.zeros((32, 32), np.uint8)
    (row,) = measure([(bare, bare, nothing)], [{"file": "0"}], sigmas_px=(4.0,))
    assert row.ssim.value == pytest.approx(1)


def test_the_command_prints_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pairs", str(_folder(tmp_path)), "--limit", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n"] == 2
    assert len(report["known"]) > 3


def test_without_covers_there_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pairs", str(_folder(tmp_path, cover=False))]) == 65
    assert "no drawn cover" in capsys.readouterr().err
