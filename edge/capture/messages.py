"""What a capture process and its parent say to each other, over a socket that keeps messages whole.

The child says ``Opening``, ``Opened`` (with the ring's descriptor), ``Captured`` for every frame,
``Lost`` when the source failed and ``Waiting`` while it pauses; the parent sends ``Task`` once and
gives slots back with ``Free``. Every message has the one size of its kind; anything else is
nonsense, and whoever speaks nonsense is ended.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass

from edge import errors
from edge.capture.ring import SLOTS, Layout
from edge.errors import EdgeError

__all__ = [
    "MAX_BYTES",
    "Captured",
    "Free",
    "Lost",
    "Message",
    "Opened",
    "Opening",
    "Task",
    "Waiting",
    "decode",
    "decode_free",
    "decode_task",
    "encode",
]

#: No message is longer.
MAX_BYTES = 16384
_OPENED = struct.Struct("<BI4If")
_CAPTURED = struct.Struct("<BIBQq")
_LOST = struct.Struct("<B?B64s512s256s")
_FREE = struct.Struct("<BIB")
_BARE = struct.Struct("<B")
#: What a source may raise, by its place; the class gives the exit code.
_ERRORS: tuple[type[EdgeError], ...] = (
    errors.UsageError,
    errors.DataError,
    errors.MissingInput,
    errors.UnavailableError,
    errors.TransientError,
    errors.ConfigError,
    EdgeError,
)


@dataclass(frozen=True, slots=True)
class Task:
    """What a child is to do.

    Attributes:
        uri: of the source.
        parent: process number of who sends this.
        first_pause_s, longest_pause_s: as in ``CaptureSettings``.
    """

    uri: str
    parent: int
    first_pause_s: float
    longest_pause_s: float


@dataclass(frozen=True, slots=True)
class Opening:
    """The child begins to open the source."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The first frame is there; frames of this ring follow.

    Attributes:
        generation: number of the ring, counted from 1.
        layout: of the ring, whose descriptor comes with this message.
        fps: that the source states; 0 when it states none.
    """

    generation: int
    layout: Layout
    fps: float


@dataclass(frozen=True, slots=True)
class Captured:
    """A frame lies in a slot.

    Attributes:
        generation, slot: where.
        index: 0-based number of the frame in this child's life, frames without a slot counted.
        captured_ns: ``time.monotonic_ns()`` at capture; one clock for all processes of a machine.
    """

    generation: int
    slot: int
    index: int
    captured_ns: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The source failed.

    Attributes:
        error: why.
        final: no wait mends it; the child has ended.
    """

    error: EdgeError
    final: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """The child is well and waits to open the source again."""


@dataclass(frozen=True, slots=True)
class Free:
    """The parent has done with a slot."""

    generation: int
    slot: int


Message = Opening | Opened | Captured | Lost | Waiting


def encode(message: Message | Free | Task) -> bytes:
    """Return a message as it is sent."""
    if isinstance(message, Captured):
        return _CAPTURED.pack(
            3, message.generation, message.slot, message.index, message.captured_ns
        )
    if isinstance(message, Free):
        return _FREE.pack(6, message.generation, message.slot)
    if isinstance(message, Opened):
        size = message.layout
        sides = (size.width, size.height, size.small_width, size.small_height)
        return _OPENED.pack(2, message.generation, *sides, message.fps)
    if isinstance(message, Lost):
        error = message.error
        place = next(i for i, kind in enumerate(_ERRORS) if isinstance(error, kind))
        texts = (_cut(error.code, 64), _cut(error.what, 512), _cut(error.hint, 256))
        return _LOST.pack(4, message.final, place, *texts)
    if isinstance(message, Task):
        return json.dumps(asdict(message)).encode()
    return _BARE.pack(1 if isinstance(message, Opening) else 5)


def decode(content: bytes) -> Message:
    """Read what a child sent.

    Raises:
        ValueError: it is nonsense.
    """
    kind = content[0] if content else 0
    try:
        if kind == 3:
            _, generation, slot, index, captured_ns = _CAPTURED.unpack(content)
            if slot >= SLOTS:
                raise ValueError(f"slot {slot}")
            return Captured(generation, slot, index, captured_ns)
        if kind == 2:
            _, generation, *sides, fps = _OPENED.unpack(content)
            return Opened(generation, Layout(*sides), fps if 0 < fps <= 1000 else 0.0)
        if kind == 4:
            _, final, place, *texts = _LOST.unpack(content)
            code, what, hint = (_text(part) for part in texts)
            return Lost(_ERRORS[place](what, hint=hint, code=code), final)
        if kind in (1, 5) and len(content) == _BARE.size:
            return Opening() if kind == 1 else Waiting()
    except (struct.error, IndexError) as error:
        raise ValueError(f"a message of kind {kind}: {error}") from error
    raise ValueError(f"a message of kind {kind} and {len(content)} bytes")


def decode_free(content: bytes) -> Free:
    """Read what a parent sent.

    Raises:
        ValueError: it is nonsense.
    """
    try:
        kind, generation, slot = _FREE.unpack(content)
    except struct.error as error:
        raise ValueError(str(error)) from error
    if kind != 6 or slot >= SLOTS:
        raise ValueError(f"a message of kind {kind} for slot {slot}")
    return Free(generation, slot)


def decode_task(content: bytes) -> Task:
    """Read the parent's first message.

    Raises:
        ValueError: it is nonsense.
    """
    try:
        task = Task(**json.loads(content))
    except TypeError as error:
        raise ValueError(str(error)) from error
    numbers = (task.parent, task.first_pause_s, task.longest_pause_s)
    if not isinstance(task.uri, str) or not all(isinstance(n, int | float) for n in numbers):
        raise ValueError("a task of other types")
    return task


def _cut(text: str, most: int) -> bytes:
    return text.encode("utf-8", "replace")[:most]


def _text(content: bytes) -> str:
    """Return a text for one line of a log, whatever the bytes are."""
    text = content.rstrip(b"\0").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)
