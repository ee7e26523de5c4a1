"""What following saves is measured against the same frames without it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.latency.following import main, measure_following
from edge.bundle import Bundle
from edge.live import LiveSettings
from tests.edge.one_face import one_face_bundle
from tests.makers import make_frame

WAYS = {"one thread", "two threads", "followed"}


def test_a_face_at_rest_is_said_the_same_of_with_fewer_looks(tmp_path: Path) -> None:
    bundle = Bundle.open(one_face_bundle(tmp_path / "bundle"))
    frames = [make_frame(64, 64)] * 40
    seen = measure_following(bundle, frames, settings=LiveSettings(), rounds=1)
    assert (seen.frames, seen.faces, seen.tracks) == (40, 40, 1)
    assert set(seen.fps) == set(seen.cpu_ms) == WAYS and min(seen.fps.values()) > 0
    assert set(seen.agree.values()) == {1.0}
    assert set(seen.changes.values()) == {(0, 0)}
    # Mask and emotion every 5 frames, identity every 30, and a few more at first.
    assert 1 - (1 / 5 + 1 / 5 + 1 / 30) / 3 - 0.1 < seen.reused < 0.9


def test_where_every_frame_is_asked_nothing_is_saved(tmp_path: Path) -> None:
    bundle = Bundle.open(one_face_bundle(tmp_path / "bundle"))
    settings = LiveSettings(mask_every=1, identify_every=1, emotion_every=1, reconstruct_every=1)
    seen = measure_following(bundle, [make_frame(64, 64)] * 5, settings=settings, rounds=1)
    assert seen.reused == 0


def test_the_command_prints_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = one_face_bundle(tmp_path / "bundle")
    source = "synthetic://?faces=1&frames=4&width=64&height=64"
    assert main(["--source", source, "--bundle", str(bundle), "--rounds", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["source"] == source and set(report["fps"]) == WAYS
