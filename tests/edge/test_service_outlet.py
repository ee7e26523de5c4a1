"""A sink that fails while the service runs: said once, tried again, never the end of it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from edge.errors import EdgeError, OutputError
from edge.events import Event
from edge.frames import Frame
from edge.results import FrameResult
from edge.service import outlet as module
from edge.service.outlet import Outlet
from edge.sinks import Sink, open_sink
from tests.makers import make_frame

RESULT = FrameResult(0, "test", 0)


class Disk:
    """A disk with or without room, and a clock of the test's own."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.opened = self.closed = self.discarded = self.now_s = 0
        self.written: list[FrameResult] = []
        self.told: list[Event] = []

    def monotonic(self) -> float:
        return float(self.now_s)

    def check(self) -> None:
        if self.error is not None:
            raise self.error


class OnDisk(Sink):
    def __init__(self, disk: Disk) -> None:
        disk.opened += 1
        self.disk = disk

    def write(self, frame: Frame, result: FrameResult) -> None:
        self.disk.check()
        self.disk.written.append(result)

    def tell(self, event: Event) -> None:
        self.disk.check()
        self.disk.told.append(event)

    def close(self) -> None:
        self.disk.closed += 1
        self.disk.check()

    def discard(self) -> None:
        self.disk.discarded += 1


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def outlet(disk: Disk, events: list[Event]) -> Outlet:
    return Outlet("jsonl:a?keep=1", lambda: OnDisk(disk), listener=events.append)


FULL = OutputError("a: no space left", code="sink.write")


@pytest.mark.parametrize("error", [FULL, OSError(28, "No space left on device"), EdgeError("?")])
def test_a_failure_is_said_once_and_so_is_its_end(
    error: Exception, outlet: Outlet, disk: Disk, events: list[Event]
) -> None:
    frame = make_frame()
    outlet.write(frame, RESULT)
    disk.error = error
    for _ in range(100):
        outlet.write(frame, RESULT)
        disk.now_s += 1
    assert outlet.failing and outlet.lost == 100
    (event,) = events
    assert event.kind == "sink" and event.text.startswith("jsonl:a fails: ")
    disk.error = None
    disk.now_s += 60
    outlet.write(frame, RESULT)
    assert not outlet.failing and len(disk.written) == 2
    assert [event.text for event in events[1:]] == ["jsonl:a delivers again; 100 results lost"]


def test_it_is_opened_again_with_growing_pauses(outlet: Outlet, disk: Disk) -> None:
    disk.error, opened_at, before = FULL, [], disk.opened
    while disk.now_s < 400:
        outlet.write(make_frame(), RESULT)
        if disk.opened > before:
            opened_at.append(disk.now_s)
            before = disk.opened
        disk.now_s += 1
    pauses = [b - a for a, b in itertools.pairwise(opened_at)]
    assert opened_at[0] == 1
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60, 60, 60]


def test_pauses_grow_where_it_does_not_open_either(disk: Disk, events: list[Event]) -> None:
    """That it delivered for an hour before says nothing of a folder that has gone since."""
    opened_at: list[int] = []

    def opened() -> Sink:
        opened_at.append(disk.now_s)
        disk.check()
        return OnDisk(disk)

    outlet = Outlet("jsonl:a", opened, listener=events.append)
    outlet.write(make_frame(), RESULT)
    disk.now_s, disk.error, begun = 3600, FULL, len(opened_at)
    while disk.now_s < 3600 + 70:
        outlet.write(make_frame(), RESULT)
        disk.now_s += 1
    assert [at - 3600 for at in opened_at[begun:]] == [1, 3, 7, 15, 31, 63]


def test_what_fails_is_closed_and_then_discarded(outlet: Outlet, disk: Disk) -> None:
    disk.error = FULL
    outlet.write(make_frame(), RESULT)
    assert (disk.closed, disk.discarded) == (1, 1)
    outlet.close()
    assert (disk.closed, disk.discarded) == (1, 1)


def test_an_event_that_is_not_taken_is_a_failure_too(
    outlet: Outlet, disk: Disk, events: list[Event]
) -> None:
    outlet.tell(Event("ladder", "no emotion"))
    assert [event.text for event in disk.told] == ["no emotion"]
    disk.error = FULL
    outlet.tell(Event("ladder", "full service"))
    outlet.tell(events[0])  # it hears of no other failure, its own least of all
    assert outlet.failing and len(events) == 1


def test_a_reader_that_has_gone_ends_the_run(outlet: Outlet, disk: Disk) -> None:
    disk.error = BrokenPipeError()
    with pytest.raises(BrokenPipeError):
        outlet.write(make_frame(), RESULT)


def test_a_defect_is_not_hidden(outlet: Outlet, disk: Disk) -> None:
    disk.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        outlet.write(make_frame(), RESULT)


def test_the_first_opening_must_succeed(tmp_path: Path) -> None:
    def opened() -> Sink:
        return open_sink(f"jsonl:{tmp_path}/none/a.jsonl", live=True)

    with pytest.raises(OutputError):
        Outlet("jsonl:a", opened, listener=lambda event: None)


def test_a_real_folder_that_comes_back(
    tmp_path: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Disk()
    monkeypatch.setattr(module, "time", clock)
    uri = "jsonl:/dev/full"
    outlet = Outlet(uri, lambda: open_sink(uri, live=True), listener=events.append)
    outlet.write(make_frame(), RESULT)
    assert outlet.failing and "no space left" in events[0].text
    uri = f"jsonl:{tmp_path}/a.jsonl"
    clock.now_s = 5
    outlet.write(make_frame(), RESULT)
    outlet.close()
    assert (tmp_path / "a.jsonl").read_text().count("\n") == 1
    assert len(events) == 2
