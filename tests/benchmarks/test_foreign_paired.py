"""Two detectors on the same pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.foreign.paired import detections, paired_points
from benchmarks.packs import Pack
from benchmarks.tasks import detect
from edge.frames import Frame
from edge.results import Detection
from tests.benchmarks.makers import flat_picture, write_pack

BOX = np.array([10, 10, 40, 40], np.float32)
POINTS = np.zeros((5, 2), np.float32)
PICTURES = 40


def _pack(folder: Path) -> Pack:
    """Write scenes with one face, with a face and an ignored box, and with none, in turn."""
    rows = []
    for number in range(PICTURES):
        row = {"file": f"{number:02}", "split": "test", "ignore": "0"}
        box = dict(zip("xywh", BOX, strict=True))
        rows.append(row | box if number % 3 else row | dict.fromkeys("xywh", ""))
        if number % 3 == 2:
            rows.append(row | box | {"x": 60, "ignore": "1"})
    write_pack(folder, {row["file"]: flat_picture(90) for row in rows}, rows)
    return Pack.open(folder)


def _finder(*, misses: int, alarms: int) -> Callable[[Frame], list[Detection]]:
    """Miss the face of some pictures, and see one that is not there in others."""

    def stage(frame: Frame) -> list[Detection]:
        number = int(frame.source)
        found = [] if number < misses else [Detection(BOX, 0.9, POINTS)]
        if number % 3 == 2:
            found.append(Detection(BOX + np.array([50, 0, 0, 0], np.float32), 0.8, POINTS))
        if number < alarms:
            found.append(Detection(BOX + np.array([0, 45, 0, 0], np.float32), 0.7, POINTS))
        return found

    return stage


def test_the_sums_are_those_of_the_task(tmp_path: Path) -> None:
    pack, stage = _pack(tmp_path / "scenes"), _finder(misses=7, alarms=5)
    outcomes, figures = detections(stage, pack), detect.evaluate(stage, pack)
    for metric, counts in outcomes.items():
        hits, total = counts.sum(0)
        assert hits / total == pytest.approx(figures.measures[metric].value)
    assert len(detections(stage, pack, limit=10)["recall"]) == 10


def test_a_difference_has_its_interval(tmp_path: Path) -> None:
    pack = _pack(tmp_path / "scenes")
    before = detections(_finder(misses=0, alarms=4), pack)
    after = detections(_finder(misses=20, alarms=4), pack)
    won, low, high = paired_points(before, after)["recall"]
    faces = sum(number % 3 > 0 for number in range(PICTURES))
    missed = sum(number % 3 > 0 for number in range(20))
    assert won == pytest.approx(-100 * missed / faces, abs=1e-3)
    assert low < won < high < 0
    assert paired_points(before, after) == paired_points(before, after)


def test_what_is_the_same_has_no_difference(tmp_path: Path) -> None:
    same = detections(_finder(misses=9, alarms=4), _pack(tmp_path / "scenes"))
    assert paired_points(same, same) == {"recall": [0, 0, 0], "precision": [0, 0, 0]}


def test_one_picture_of_many_does_not_differ_from_chance(tmp_path: Path) -> None:
    pack = _pack(tmp_path / "scenes")
    one, other = (detections(_finder(misses=m, alarms=0), pack) for m in (1, 2))
    _, low, high = paired_points(one, other)["recall"]
    assert low < 0 <= high
