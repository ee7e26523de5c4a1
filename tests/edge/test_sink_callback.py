"""A function as a sink: what it is given, and what becomes of its mistakes."""

from __future__ import annotations

import pytest

from edge.errors import DataError, OutputError
from edge.events import Event
from edge.frames import Frame
from edge.results import FrameResult
from edge.sinks.callback import CallbackSink
from tests.edge.results_made import make_pair


def test_the_function_gets_everything_in_order() -> None:
    seen: list[tuple[Frame, FrameResult]] = []
    told: list[Event] = []
    pairs = [make_pair(i) for i in range(3)]
    with CallbackSink(lambda *pair: seen.append(pair), on_event=told.append) as sink:
        for pair in pairs:
            sink.write(*pair)
        sink.tell(Event("ladder", "reduced: no emotion"))
    assert [[id(part) for part in pair] for pair in seen] == [[id(a), id(b)] for a, b in pairs]
    assert [event.kind for event in told] == ["ladder"]


def test_a_mistake_is_named_and_the_next_frame_comes() -> None:
    seen: list[int] = []

    def halve(frame: Frame, result: FrameResult) -> None:
        seen.append(10 // frame.index)

    sink = CallbackSink(halve)
    with pytest.raises(OutputError, match="halve: ZeroDivisionError") as caught:
        sink.write(*make_pair(0))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.code == "sink.callback"
    sink.write(*make_pair(5))
    assert seen == [2]


def test_an_error_of_ours_and_an_interruption_pass() -> None:
    def refuse(frame: Frame, result: FrameResult) -> None:
        raise (DataError("no") if frame.index else KeyboardInterrupt)

    for index, kind in ((0, KeyboardInterrupt), (1, DataError)):
        with pytest.raises(kind):
            CallbackSink(refuse).write(*make_pair(index))


def test_a_mistake_between_frames_comes_with_the_next() -> None:
    def fail(event: Event) -> None:
        raise KeyError(event.kind)

    seen: list[int] = []
    sink = CallbackSink(lambda frame, _: seen.append(frame.index), on_event=fail)
    sink.tell(Event("config", "read again"))
    with pytest.raises(OutputError, match="fail: KeyError"):
        sink.write(*make_pair(0))
    sink.write(*make_pair(1))
    assert seen == [0, 1]
