"""What every sink is: it takes results, and is either finished or discarded."""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from types import TracebackType

from edge.errors import OutputError
from edge.events import Event
from edge.frames import Frame
from edge.results import FrameResult

__all__ = ["Sink", "not_written", "part_beside", "put_in_place", "sync_path"]


class Sink(ABC):
    """Takes the result of every frame, in order.

    Leaving a ``with`` block finishes it; leaving it by an exception discards it.
    """

    @abstractmethod
    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take one result.

        Raises:
            OutputError: it cannot be written.
        """

    def tell(self, event: Event) -> None:  # noqa: B027 - most sinks have no use for it
        """Hear of a change of state, between two results; raise nothing."""

    @abstractmethod
    def close(self) -> None:
        """Put what was promised in its place; a second call does nothing.

        Raises:
            OutputError: it cannot be written.
        """

    def discard(self) -> None:
        """Take back what is not whole; after ``close`` this does nothing."""
        self.close()

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()


def not_written(path: str, error: OSError | None = None) -> OutputError:
    """Return the error of a file that cannot be written."""
    reason = "cannot be written" if error is None else f"{(error.strerror or str(error)).lower()}"
    return OutputError(
        f"{path}: {reason}",
        hint="name a place that exists, can be written to and has room",
        code="sink.write",
    )


def part_beside(path: str) -> tuple[str, str]:
    """Return the real target of a path, and a new name beside it with the same ending.

    Raises:
        OutputError: the target is a folder, or its folder is missing or closed to this user.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if os.path.isdir(target):
        raise OutputError(f"{path}: is a folder", hint="name a file in it", code="sink.write")
    if not os.path.isdir(folder):
        raise OutputError(
            f"{path}: there is no folder {folder}",
            hint=f"make it with: mkdir -p {folder}",
            code="sink.write",
        )
    stem, suffix = os.path.splitext(name)
    return target, os.path.join(folder, f".{stem}.{secrets.token_hex(4)}.part{suffix}")


def put_in_place(part: str, target: str) -> None:
    """Sync a finished file and give it its name.

    Raises:
        OSError: as the system says it.
    """
    sync_path(part)
    os.replace(part, target)
    sync_path(os.path.dirname(target))


def sync_path(path: str) -> None:
    """Sync a file, or a folder: the names in it.

    Raises:
        OSError: as the system says it.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
