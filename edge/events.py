"""Changes of state that somebody may want to hear of: a camera lost, a step of the ladder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["KINDS", "Event", "Listener"]

#: ``camera.lost`` and ``camera.back``; ``ladder`` when something is left out or taken back;
#: ``engine`` when another one takes the place of the wanted one;
#: ``config`` when the configuration was read again; ``sink`` when a sink cannot deliver or can
#: again; ``input`` when a picture or frame was stepped over.
KINDS = ("camera.lost", "camera.back", "ladder", "engine", "config", "sink", "input")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed.

    Attributes:
        kind: one of ``KINDS``.
        text: one line for a person; names no face and nobody.
        code: stable identifier of the fault behind it, such as ``v4l2.lost``; may be empty.
        at_ns: ``time.monotonic_ns()``.
    """

    kind: str
    text: str
    code: str = ""
    at_ns: int = field(default_factory=time.monotonic_ns)


#: Called with every event as it happens, from any thread; must not wait.
Listener = Callable[[Event], None]
