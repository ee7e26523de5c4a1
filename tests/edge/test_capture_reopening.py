"""A camera that is lost two hundred times leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.capture import CaptureSettings
from tests.edge.capture_bench import Bench, capturing, child_of
from tests.edge.stood_in import stood_in


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path)
    monkeypatch.setenv("STAND_IN_CAMERA", made.path)
    with stood_in():
        yield made


def test_two_hundred_reopenings_leave_nothing_behind(bench: Bench) -> None:
    uri = "picamera://0?width=640&height=480&fps=1000&small_width=0"
    hasty = CaptureSettings(first_pause_s=0.01, longest_pause_s=0.01)
    with capturing(bench, uri, hasty) as capture:
        pid = child_of(capture)
        sizes = []
        for reopening in range(200):
            bench.is_now("silent")
            assert bench.event().kind == "camera.lost"
            bench.is_now("well")
            assert bench.event().kind == "camera.back"
            if reopening in (20, 199):
                sizes.append((_footprint(os.getpid()), _footprint(pid)))
        assert child_of(capture) == pid and capture.reopened == 200
    (ours_early, theirs_early), (ours_late, theirs_late) = sizes
    for early, late in ((ours_early, ours_late), (theirs_early, theirs_late)):
        assert late[0] == early[0], "descriptors"
        assert late[1] == early[1], "threads"
        assert late[2] - early[2] < 8 << 20, "memory: a ring of 640 x 480 is 3.5 MiB"


def _footprint(pid: int) -> tuple[int, int, int]:
    """Number of descriptors and threads, and bytes of anonymous and of shared memory."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    kilobytes = sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem"))
    # The least of many looks: a frame's or a file's descriptor comes and goes.
    descriptors = min(len(os.listdir(f"/proc/{pid}/fd")) for _ in range(100))
    return descriptors, int(fields["Threads"]), 1024 * kilobytes
