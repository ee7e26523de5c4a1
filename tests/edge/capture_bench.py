"""A camera whose behaviour a test changes, captured by real processes."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterator
from pathlib import Path

from edge.capture import Capture, CaptureSettings
from edge.events import Event

__all__ = ["QUICK", "URI", "Bench", "capturing", "child_of", "is_gone"]

URI = "picamera://0?width=64&height=48&fps=100&small_width=0"
#: A stall is declared soon; a start may take its time on a busy machine.
QUICK = CaptureSettings(stall_s=1.0, open_s=30.0, first_pause_s=0.05, longest_pause_s=0.2)


class Bench:
    """A camera whose behaviour a test changes, and what is heard of it."""

    def __init__(self, folder: Path) -> None:
        self._mood = folder / "mood"
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.is_now("well")

    @property
    def path(self) -> str:
        return str(self._mood)

    def is_now(self, mood: str) -> None:
        part = self._mood.with_suffix(".part")
        part.write_text(mood)
        part.replace(self._mood)

    def event(self) -> Event:
        return self.events.get(timeout=30)


@contextlib.contextmanager
def capturing(bench: Bench, uri: str = URI, settings: CaptureSettings = QUICK) -> Iterator[Capture]:
    """A capture that has given its first frame."""
    with Capture(uri, listener=bench.events.put, settings=settings) as capture:
        assert capture.take(30) is not None
        yield capture


def child_of(capture: Capture) -> int:
    """Return the process number of this process's one capture process."""
    del capture
    found = [int(pid) for pid in _children() if b"edge.capture.worker" in _cmdline(pid)]
    assert len(found) == 1, found
    return found[0]


def _children() -> list[str]:
    pids = []
    for task in Path("/proc/self/task").iterdir():
        pids += (task / "children").read_text().split()
    return pids


def _cmdline(pid: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def is_gone(pid: int, patience_s: float = 5.0) -> bool:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False
