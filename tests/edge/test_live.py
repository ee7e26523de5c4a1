"""Two threads share the work, the newest frame wins, the budget holds, errors reach the caller."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.errors import DataError
from edge.frames import Frame
from edge.gallery import Gallery
from edge.live import LivePipeline, LiveSettings, Reduction, Seen
from edge.live.budget import Budget
from edge.live.slot import Slot
from edge.pipeline import Pipeline
from edge.sources import open_source
from tests.edge.live_kit import ByHand, Scripted, frame_at, frontal

_MS = 1_000_000


def _now(index: int) -> Frame:
    return replace(frame_at(index), captured_ns=time.monotonic_ns())


def _open(pipeline: Scripted, frames: ByHand, **more: object) -> LivePipeline:
    return LivePipeline(pipeline, frames, **more)  # type: ignore[arg-type]


def _all(live: LivePipeline) -> list[Seen]:
    seen = []
    while not live.ended:
        one = live.next(5)
        if one is not None:
            seen.append(one)
    return seen


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_every_frame_that_can_be_taken_has_its_result() -> None:
    frames = ByHand((frame_at(i) for i in range(20)), end=True)
    with _open(Scripted(frontal(0, 0)), frames) as live:
        seen = _all(live)
        assert [one.result.frame for one in seen] == list(range(20))
        assert all(one.frame.index == one.result.frame for one in seen)
        assert live.results == 20 and live.next(0) is None
    assert seen[-1].result.faces[0].track == 1
    assert set(seen[0].result.stage_ns) >= {"detect", "mask", "emotion"}


def test_a_result_says_how_old_it_is_and_what_was_dropped() -> None:
    frames = ByHand()
    with _open(Scripted(), frames) as live:
        frames.put(_now(0))
        assert live.next(5) is not None
        frames.dropped += 4
        early = replace(frame_at(5), captured_ns=time.monotonic_ns() - 70 * _MS)
        frames.put(early)
        seen = live.next(5)
        assert seen is not None and seen.result.live is not None
        assert 70 * _MS <= seen.result.live.age_ns < 5000 * _MS
        assert seen.result.live.dropped == live.dropped == 4
        frames.put(_now(6))
        seen = live.next(5)
        assert seen is not None and seen.result.live is not None and seen.result.live.dropped == 0
        assert seen.result.to_json()["dropped"] == 0


def test_nothing_in_time_is_none_and_not_the_end() -> None:
    frames = ByHand()
    with _open(Scripted(), frames) as live:
        assert live.next(0.01) is None and not live.ended
        assert live.busy_ns == 0
        frames.put(frame_at(0))
        assert live.next(5) is not None


def test_detection_runs_beside_the_face_stages() -> None:
    pipeline = Scripted(frontal(0, 0))
    pipeline.detect_s = pipeline.mask_s = 0.03
    frames = ByHand((frame_at(i) for i in range(10)), end=True)
    with _open(pipeline, frames, settings=LiveSettings(mask_every=1)) as live:
        start = time.perf_counter()
        assert len(_all(live)) == 10
        took = time.perf_counter() - start
    assert took < 0.85 * 10 * 0.06  # one after the other would take 0.6 s


def test_no_frame_is_taken_before_there_is_room_for_its_faces() -> None:
    frames = ByHand(frame_at(i) for i in range(9))
    with _open(Scripted(), frames) as live:
        for _ in range(3):
            assert frames.taken.acquire(timeout=5)
            assert not frames.taken.acquire(timeout=0.03)  # it would only grow old
            assert live.next(5) is not None


def test_how_long_a_frame_has_been_in_hand() -> None:
    pipeline, frames = Scripted(), ByHand()
    pipeline.go_on.clear()
    with _open(pipeline, frames) as live:
        frames.put(frame_at(0))
        assert pipeline.inside.wait(5)
        first = live.busy_ns
        assert live.next(0.05) is None  # an engine that hangs gives nothing
        assert 0 < first < first + 50 * _MS <= live.busy_ns
        pipeline.go_on.set()
        assert live.next(5) is not None
        assert live.next(0.01) is None and live.busy_ns == 0


def test_what_fails_in_the_thread_reaches_the_caller_once() -> None:
    pipeline, frames = Scripted(), ByHand([frame_at(0)])
    pipeline.failure = DataError("the network does not run")
    with _open(pipeline, frames) as live:
        with pytest.raises(DataError, match="does not run"):
            live.next(5)
        assert live.ended and live.next(0) is None


def test_a_camera_that_fails_reaches_the_caller_after_what_it_gave() -> None:
    frames = ByHand([frame_at(0)])
    with _open(Scripted(), frames) as live:
        assert live.next(5) is not None
        frames.error = DataError("the camera is gone")
        frames.put()
        assert not live.ended
        with pytest.raises(DataError, match="gone"):
            live.next(5)


def test_closing_while_the_camera_gives_nothing_is_quick() -> None:
    live = _open(Scripted(), ByHand())
    start = time.perf_counter()
    live.close()
    live.close()
    assert time.perf_counter() - start < 1


def test_faces_are_looked_for_in_every_third_frame_only() -> None:
    pipeline = Scripted(frontal(0, 0))
    frames = ByHand((frame_at(i) for i in range(10)), end=True)
    with _open(pipeline, frames, settings=LiveSettings(detect_every=3)) as live:
        seen = _all(live)
    ages = [face.ages.box for one in seen for face in one.result.faces if face.ages]
    assert ages == [0, 1, 2] * 3 + [0]
    assert pipeline.looks["detect"] == 4


def test_without_following_every_face_is_looked_at_in_every_frame() -> None:
    pipeline = Scripted(frontal(0, 0))
    frames = ByHand((frame_at(i) for i in range(10)), end=True)
    settings = LiveSettings(detect_every=3)
    with _open(pipeline, frames, settings=settings, follow=False) as live:
        live.reduce(Reduction(detect_every=9, emotion=False))
        seen = _all(live)
    assert pipeline.looks["detect"] == pipeline.looks["mask"] == 10
    assert pipeline.looks["emotion"] == 0
    (face,) = seen[-1].result.faces
    assert face.track is None and face.ages is None and face.emotion is None
    assert seen[-1].result.live is not None and seen[-1].result.live.reduced == ("emotion",)


def test_what_is_reduced_stands_in_the_result() -> None:
    frames = ByHand()
    with _open(Scripted(frontal(0, 0)), frames) as live:
        for reduction, names in (
            (Reduction(emotion=False), ["emotion"]),
            (Reduction(detect_every=3, fps=1000), ["detect", "fps"]),
            (Reduction(), []),
        ):
            live.reduce(reduction)
            frames.put(_now(0))
            seen = live.next(5)
            assert seen is not None and seen.result.to_json()["reduced"] == names


def test_a_reduced_frame_rate_is_kept() -> None:
    frames = ByHand((frame_at(i) for i in range(8)), end=True)
    with _open(Scripted(), frames) as live:
        live.reduce(Reduction(fps=50))
        start = time.perf_counter()
        _all(live)
        assert time.perf_counter() - start >= 6 * 0.02


def test_late_results_are_counted() -> None:
    frames = ByHand()
    with _open(Scripted(), frames, settings=LiveSettings(budget_ms=60_000)) as live:
        for age_ms in (0, 61_000, 62_000):
            now = _now(0)
            frames.put(replace(now, captured_ns=now.captured_ns - age_ms * _MS))
            while live.next(5) is None:
                pass
        assert (live.results, live.missed) == (3, 2)


def test_a_stale_frame_goes_for_a_newer_one_but_not_twice_in_a_row() -> None:
    frames = ByHand()
    with _open(Scripted(), frames, settings=LiveSettings(budget_ms=10_000)) as live:

        def stale(index: int) -> Frame:
            now = _now(index)
            return replace(now, captured_ns=now.captured_ns - 20_000 * _MS)

        frames.put(stale(0), stale(1), stale(2), _now(3), _now(4))
        seen = [live.next(5) for _ in range(3)]
        assert [one.frame.index for one in seen if one is not None] == [1, 3, 4]
        assert live.dropped == 2


def test_a_budget_expects_what_the_last_frames_took() -> None:
    budget = Budget(100)
    assert budget.worth(99, 0)  # nothing is known yet
    for _ in range(50):
        budget.add(30, 40)
    assert budget.worth(30, 0) and not budget.worth(31, 0)
    # The face stages are still at the frame before: they need 40, and have had 5.
    assert budget.worth(25, 5) and not budget.worth(26, 5)
    assert budget.worth(30, 39)
    assert not budget.missed(100) and budget.missed(101)
    for _ in range(50):
        budget.add(70, 40)
    assert budget.worth(10**9, 0)  # no frame can be in time: dropping brings nothing
    assert Budget(0).worth(10**12, 0) and not Budget(0).missed(10**12)


def test_a_slot_holds_the_newest() -> None:
    slot: Slot[int] = Slot()
    assert slot.take(0.001) is None
    assert slot.put(1) and slot.put(2)
    assert slot.replaced == 1 and slot.take(1) == 2 and slot.take(0) is None
    slot.put(3)
    slot.end(DataError("gone"))
    assert not slot.put(4) and not slot.ended
    assert slot.take() == 3 and not slot.ended
    with pytest.raises(DataError, match="gone"):
        slot.take()
    assert slot.take() is None and slot.ended and not slot.wait_until_free()


def test_real_networks_follow_drawn_faces(tmp_path: Path) -> None:
    """The package's own networks, a gallery in this thread, and detection in another."""
    folder = Path(__file__).parents[2] / "edge" / "bundles" / "default"
    bundle = Bundle.open(folder)
    revision = bundle.artefact("identity").contract.revision
    with open_source("synthetic://?faces=2&masked=1&frames=24&width=480&height=240") as source:
        frames = [replace(frame, captured_ns=i * 40 * _MS) for i, frame in enumerate(source)]
    with (
        Gallery.open(tmp_path / "people.gallery", revision, create=True) as gallery,
        Pipeline(bundle, gallery=gallery) as pipeline,
    ):
        pipeline.warm_up()
        first = pipeline.run(frames[0])
        for face in first.faces:
            assert face.embedding is not None
            gallery.enrol(face.mask.state, face.embedding, masked=face.painting is not None)
        with _open(pipeline, ByHand(frames, end=True)) as live:  # type: ignore[arg-type]
            results = [one.result for one in _all(live)]
    assert len(results) == 24
    tracks = {face.track for result in results[2:] for face in result.faces}
    assert tracks == {1, 2}
    for face in results[-1].faces:
        assert face.identity is not None and face.identity.person == face.mask.state
    looks = sum(result.stage_ns["mask"].runs for result in results)
    assert looks < 0.6 * sum(len(result.faces) for result in results)
    painted = [f.painting for f in results[-1].faces if f.mask.state == "masked"]
    assert painted and painted[0] is not None
    assert np.isfinite(painted[0].matrix).all()
