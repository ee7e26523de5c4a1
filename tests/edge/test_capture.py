"""Capture: the newest frame of a camera, every frame of a file, and what cannot be."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from edge.capture import Capture
from edge.errors import DataError, EdgeError, MissingInput, UnavailableError, UsageError
from edge.events import Event
from tests.edge.capture_bench import QUICK, URI, Bench, capturing, child_of, is_gone
from tests.edge.stand_ins.scene import scene
from tests.edge.stood_in import stood_in

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path)
    monkeypatch.setenv("STAND_IN_CAMERA", made.path)
    with stood_in():
        yield made


def test_frames_come_with_rising_numbers_and_times(bench: Bench) -> None:
    with capturing(bench, "picamera://0?width=64&height=48&fps=100&small_width=32") as capture:
        frames = [capture.take(5) for _ in range(10)]
        assert capture.state == "running" and capture.live
        assert capture.captured - capture.dropped >= 11
    numbers = [frame.index for frame in frames if frame]
    times = [frame.captured_ns for frame in frames if frame]
    assert len(numbers) == 10
    assert numbers == sorted(set(numbers)) and times == sorted(set(times))
    assert all(0 < time.monotonic_ns() - ns < 60e9 for ns in times)
    first = frames[0]
    assert first and first.image.shape == (48, 64, 3) and first.image.flags.writeable
    assert first.small is not None and first.small.shape == (24, 32, 3)
    assert first.source == "picamera://0"


def test_the_newest_wins_and_the_rest_is_counted(bench: Bench) -> None:
    with capturing(bench) as capture:
        before = capture.captured
        while capture.captured < before + 10:
            time.sleep(0.01)
        frame = capture.take(5)
        assert frame is not None and frame.index >= before + 9
        assert capture.dropped >= 8


@pytest.mark.parametrize("mood", ["well", "hang", "unplugged"])
def test_close_ends_the_child_within_two_seconds(bench: Bench, mood: str) -> None:
    with capturing(bench) as capture:
        pid = child_of(capture)
        if mood != "well":
            bench.is_now(mood)
            while capture.take(0.3) is not None:
                pass
        began = time.monotonic()
        capture.close()
        assert time.monotonic() - began < 2
        assert is_gone(pid, 0.5)
        capture.close()
        assert capture.take(0) is None and capture.ended


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("picamera://0?widht=640", UsageError),
        ("picamera://x", UsageError),
        ("v4l2://video0", UsageError),
        ("rtsp://a:b@host/x", UsageError),
        ("nothing.mp4", MissingInput),
        ("what://0", UsageError),
    ],
)
def test_a_mistake_is_refused_at_once(uri: str, error: type[EdgeError]) -> None:
    with pytest.raises(error):
        Capture(uri, listener=print)


def test_what_no_wait_mends_is_raised_by_take(bench: Bench) -> None:
    bench.is_now("other")
    with Capture(URI, listener=bench.events.put, settings=QUICK) as capture:
        with pytest.raises(UsageError, match="YUYV"):
            capture.take(30)
        assert capture.ended and capture.state == "ended" and capture.take(0) is None
        assert bench.events.empty()


def test_a_library_that_is_missing_is_not_waited_for(bench: Bench) -> None:
    with Capture("csi://0", listener=bench.events.put, settings=QUICK) as capture:
        with pytest.raises(UnavailableError, match="python3-opencv"):
            capture.take(30)
        assert capture.ended


def test_drawn_frames_and_files_come_whole_and_in_order(tmp_path: Path) -> None:
    events: list[Event] = []
    uri = "synthetic://?faces=0&frames=20&width=32&height=32"
    with Capture(uri, listener=events.append) as capture:
        frames = []
        while not capture.ended:
            frame = capture.take(5)
            if frame is not None:
                frames.append(frame.index)
        assert frames == list(range(20))
        assert (capture.captured, capture.dropped, capture.state) == (20, 0, "ended")
        assert not capture.live and events == []


def test_a_paced_file_drops_unless_it_is_asked_not_to(tmp_path: Path) -> None:
    for number in range(8):
        cv2.imwrite(str(tmp_path / f"{number}.png"), scene(32, 24))
    uri = f"file://{tmp_path}?pace=1&fps=200"
    with Capture(uri, listener=print) as capture:
        while capture.captured < 8:
            time.sleep(0.005)
        frame = capture.take(1)
        assert frame is not None and frame.index == 7 and capture.dropped == 7
    with Capture(uri, listener=print, drop=False) as capture:
        taken = [capture.take(1) for _ in range(8)]
        assert [frame.index for frame in taken if frame] == list(range(8))


def test_a_picture_that_cannot_be_used_is_an_event_and_none_is_an_error(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "b.png"), scene(32, 24))
    (tmp_path / "a.png").write_bytes(b"no picture")
    events: list[Event] = []
    with Capture(str(tmp_path), listener=events.append) as capture:
        assert capture.take(5) is not None
    assert [(event.kind, event.code) for event in events] == [("input", "picture.kind")]
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"no video")
    with pytest.raises(DataError):
        Capture(str(clip), listener=events.append)


def test_the_worker_does_nothing_for_anybody_else() -> None:
    for arguments in ([], ["0"], ["999"], ["x"]):
        done = subprocess.run(
            [sys.executable, "-m", "edge.capture.worker", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
        )
        assert done.returncode == 64
        assert b"started by edge.capture only" in done.stderr
