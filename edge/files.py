"""Write a file whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from edge.errors import OutputError

__all__ = ["write_whole"]


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write beside the target, sync, rename; the old file stays until the new one is whole.

    Args:
        path: file to make or to replace; its folder must be there.
        content: all of it.

    Raises:
        OutputError: the disk is full or read-only, the folder is missing, ...
    """
    target = Path(path)
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        try:
            with open(part, "xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(part, target)
            _sync_folder(target.parent)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{target}: cannot be written: {error.strerror or error}",
            hint="free some space or name a folder that can be written to",
            code="output.write",
        ) from error


def _sync_folder(folder: Path) -> None:
    """Sync the folder, so that the new name outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
