"""A function of a Python program as a sink."""

from __future__ import annotations

from collections.abc import Callable

from edge.errors import EdgeError, OutputError
from edge.events import Event, Listener
from edge.frames import Frame
from edge.results import FrameResult
from edge.sinks.base import Sink

__all__ = ["CallbackSink"]


class CallbackSink(Sink):
    """Calls a function with every frame and its result, in the thread of the loop.

    An exception of the function reaches the caller as an ``OutputError`` that names it and has it
    as its cause: like a full disk it costs a service this sink's share of the frame and no more,
    and ends a run over files. It is not swallowed here, where nobody would see it. An
    ``EdgeError`` of the function passes as it is.

    Args:
        function: is given the frame and the result; the next frame waits for it.
        on_event: is given every change of state; when it raises, the next ``write`` says so.
    """

    def __init__(
        self,
        function: Callable[[Frame, FrameResult], object],
        *,
        on_event: Listener | None = None,
    ) -> None:
        self._function = function
        self._on_event = on_event
        self._fault: OutputError | None = None

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Call the function.

        Raises:
            OutputError: it raised.
        """
        fault, self._fault = self._fault, None
        try:
            self._function(frame, result)
        except EdgeError:
            raise
        except Exception as error:
            raise _failed(self._function, error) from error
        if fault is not None:
            raise fault

    def tell(self, event: Event) -> None:
        """Call the other function, if there is one."""
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception as error:
                self._fault = _failed(self._on_event, error)
                self._fault.__cause__ = error

    def close(self) -> None:
        """Do nothing: the function is the program's."""


def _failed(function: Callable[..., object], error: Exception) -> OutputError:
    name = getattr(function, "__qualname__", type(function).__name__)
    return OutputError(
        f"callback {name}: {type(error).__name__}: {error}",
        hint="mend the function: the frame did not reach it",
        code="sink.callback",
    )
