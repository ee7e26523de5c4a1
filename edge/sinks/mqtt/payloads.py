"""What is said on which topic; docs/sinks.md describes it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from edge.events import Event
from edge.results import FrameResult

__all__ = ["Seen", "State", "event_payload", "faces_payload", "without_names"]

_STATES = ("masked", "unmasked", "incorrect")


@dataclass(frozen=True, slots=True)
class Seen:
    """Who is in a picture: what a change is measured by.

    Attributes:
        faces: track, mask state and name of each, the largest face first.
    """

    faces: tuple[tuple[int | None, str, str | None], ...] = ()

    @classmethod
    def of(cls, result: FrameResult) -> Seen:
        """Take it from a result."""
        return cls(
            tuple(
                (face.track, face.mask.state, face.identity.person if face.identity else None)
                for face in result.faces
            )
        )

    def same_as(self, other: Seen) -> bool:
        """Tell whether the same are seen; which face is the largest does not count."""
        return Counter(self.faces) == Counter(other.faces)


@dataclass(frozen=True, slots=True)
class State:
    """The retained message: one small object that says how things stand.

    Attributes:
        masks: faces by mask state, in the order masked, unmasked, incorrect.
        names: of the known people who are seen; None where names are not told.
        camera: ``running``, ``lost``, or ``stopped`` when the service was.
        reduced: what is left out at the moment to spare the board.
    """

    people: int = 0
    masks: tuple[int, int, int] = (0, 0, 0)
    names: tuple[str, ...] | None = None
    camera: str = "running"
    reduced: tuple[str, ...] = ()

    def after(self, result: FrameResult, *, names: bool) -> State:
        """Return how things stand after a result."""
        states = Counter(face.mask.state for face in result.faces)
        known = {face.identity.person for face in result.faces if face.identity is not None}
        return State(
            people=len(result.faces),
            masks=(states["masked"], states["unmasked"], states["incorrect"]),
            names=tuple(sorted(name for name in known if name)) if names else None,
            camera="running",
            reduced=result.live.reduced if result.live else (),
        )

    def without_camera(self, camera: str) -> State:
        """Return how things stand while the camera is ``lost`` or ``stopped``: nobody is seen."""
        return State(names=None if self.names is None else (), camera=camera, reduced=self.reduced)

    def payload(self, *, fps: float, age_ms: float | None) -> bytes:
        """Return the message.

        Args:
            fps: results a second; 0 when that is not known yet.
            age_ms: of the last result; None for a source with an end.
        """
        seen = self.camera == "running"  # else nothing is known
        masks = zip(_STATES, self.masks, strict=True)
        return _json(
            {
                "at": _now(),
                "people": self.people if seen else None,
                **{state: number if seen else None for state, number in masks},
                **({} if self.names is None else {"names": list(self.names)}),
                "camera": self.camera,
                "reduced": list(self.reduced),
                "fps": round(fps, 1) if fps else None,
                "age_ms": None if age_ms is None else round(age_ms, 1),
            }
        )


def without_names(result: FrameResult) -> FrameResult:
    """Return the result without what was found out about who is seen."""
    return replace(result, faces=tuple(replace(face, identity=None) for face in result.faces))


def faces_payload(result: FrameResult) -> bytes:
    """Return the line of docs/results.md with the time of day before it."""
    return _json({"at": _now(), **result.to_json()})


def event_payload(event: Event) -> bytes:
    """Return a change of state."""
    return _json({"at": _now(), "kind": event.kind, "text": event.text, "code": event.code})


def _json(content: dict[str, object]) -> bytes:
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def _now() -> str:
    """Return the time as ISO 8601 in UTC, to the millisecond."""
    now = datetime.now(timezone.utc)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
