"""Capture processes that hang, are stopped or killed, die or speak nonsense, and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.capture import Capture
from tests.edge.capture_bench import QUICK, URI, Bench, capturing, child_of, is_gone
from tests.edge.stood_in import STAND_INS, stood_in
from tests.python_path import python_path

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path)
    monkeypatch.setenv("STAND_IN_CAMERA", made.path)
    with stood_in():
        yield made


@pytest.mark.parametrize(
    ("mood", "code"),
    [
        ("hang", "capture.stalled"),
        ("die", "capture.died"),
        ("nonsense", "capture.nonsense"),
        ("unplugged", "picamera.lost"),
        ("silent", "picamera.lost"),
    ],
)
def test_a_camera_that_fails_is_reported_once_and_comes_back(
    bench: Bench, mood: str, code: str
) -> None:
    with capturing(bench) as capture:
        before = capture.captured
        bench.is_now(mood)
        lost = bench.event()
        assert (lost.kind, lost.code) == ("camera.lost", code)
        assert capture.state == "lost"
        bench.is_now("well")
        back = bench.event()
        assert back.kind == "camera.back"
        capture.take(0)
        frame = capture.take(10)
        assert frame is not None and frame.index > before - 1
        assert (capture.state, capture.reopened) == ("running", 1)
        assert bench.events.empty()


def test_a_child_that_is_killed_is_started_again(bench: Bench) -> None:
    with capturing(bench) as capture:
        pid = child_of(capture)
        os.kill(pid, signal.SIGKILL)
        lost = bench.event()
        assert (lost.kind, lost.code) == ("camera.lost", "capture.died")
        assert "signal 9" in lost.text
        assert bench.event().kind == "camera.back"
        assert child_of(capture) != pid and is_gone(pid)


def test_a_child_that_is_stopped_is_killed_and_started_again(bench: Bench) -> None:
    with capturing(bench) as capture:
        pid = child_of(capture)
        os.kill(pid, signal.SIGSTOP)
        lost = bench.event()
        assert (lost.kind, lost.code) == ("camera.lost", "capture.stalled")
        assert bench.event().kind == "camera.back"
        assert is_gone(pid)


def test_a_child_that_a_driver_holds_is_waited_for_and_not_multiplied(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process inside a driver's call that never returns outlives SIGKILL; stopped, ours does."""
    monkeypatch.setattr(subprocess.Popen, "kill", lambda process: None)
    with capturing(bench) as capture:
        pid = child_of(capture)
        os.kill(pid, signal.SIGSTOP)
        lost = bench.event()
        assert (lost.kind, lost.code) == ("camera.lost", "capture.held")
        assert "restart the machine" in lost.text
        assert not is_gone(pid, 1.0)  # several pauses
        assert child_of(capture) == pid  # and no other beside it
        os.kill(pid, signal.SIGKILL)
        assert bench.event().kind == "camera.back"
        assert child_of(capture) != pid
        monkeypatch.undo()


def test_the_signals_of_a_terminal_and_of_systemd_leave_the_child_to_its_parent(
    bench: Bench,
) -> None:
    with capturing(bench) as capture:
        pid = child_of(capture)
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
        before = capture.captured
        while capture.captured < before + 5:
            assert capture.take(5) is not None
        assert child_of(capture) == pid


@pytest.mark.parametrize(
    ("mood", "code"),
    [
        ("unplugged", "picamera.missing"),
        ("busy", "picamera.busy"),
        ("broken", "capture.internal"),
        ("die", "capture.died"),
    ],
)
def test_a_camera_that_is_not_there_yet_is_waited_for(bench: Bench, mood: str, code: str) -> None:
    bench.is_now(mood)
    with Capture(URI, listener=bench.events.put, settings=QUICK) as capture:
        assert capture.state == "opening"
        lost = bench.event()
        assert (lost.kind, lost.code) == ("camera.lost", code)
        bench.is_now("well")
        assert bench.event().kind == "camera.back"
        assert capture.take(10) is not None


_PARENT = """
import sys, time
from edge.capture import Capture
capture = Capture(sys.argv[1], listener=print)
assert capture.take(30)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("mood", ["well", "hang"])
def test_a_child_ends_when_its_parent_is_killed(bench: Bench, mood: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, URI],
        env={**os.environ, "PYTHONPATH": python_path(STAND_INS, ROOT)},
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split() or [
            next(
                child
                for task in Path(f"/proc/{parent.pid}/task").iterdir()
                for child in (task / "children").read_text().split()
            )
        ]
        bench.is_now(mood)
        parent.kill()
        assert is_gone(int(child))
