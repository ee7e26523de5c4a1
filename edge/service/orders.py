"""What a service is asked from outside, by signals or by the program around it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

__all__ = ["Orders", "interrupted_by_sigterm", "obey_signals"]


@dataclass(slots=True)
class Orders:
    """Looked at by the loop between two frames; set from anywhere.

    Attributes:
        stop: finish the frame in hand and end.
        reload: read the configuration again.
        signal: number of the signal that said stop; 0 where none did.
    """

    stop: bool = False
    reload: bool = False
    signal: int = 0


@contextmanager
def obey_signals(orders: Orders, *, reloads: bool) -> Iterator[None]:
    """Turn SIGTERM, SIGINT and SIGHUP into orders while the block runs; main thread only.

    A second SIGINT interrupts at once: somebody at a terminal wants out.

    Args:
        orders: to write to.
        reloads: whether SIGHUP means reload; else it means stop, as a terminal that goes away does.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        if orders.stop and number == signal.SIGINT:
            raise KeyboardInterrupt
        orders.stop, orders.signal = True, orders.signal or number

    def reload(number: int, frame: FrameType | None) -> None:
        orders.reload = True

    handlers = {
        signal.SIGTERM: stop,
        signal.SIGINT: stop,
        signal.SIGHUP: reload if reloads else stop,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, which takes unfinished files away."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
