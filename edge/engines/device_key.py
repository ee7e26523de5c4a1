"""A key that only this device holds: 32 random bytes in a file, bound to the board's number."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from edge.board.system import System
from edge.errors import ConfigError, EdgeError, OutputError
from edge.places import state_folder

__all__ = ["default_key", "device_key"]

_KEY_BYTES = 32
#: What tells two boards apart that were given one image of a disk.
_SERIALS = ("proc/device-tree/serial-number", "sys/class/dmi/id/product_uuid", "etc/machine-id")


def default_key() -> Path:
    """Return where the key lies."""
    return state_folder() / "engine.key"


def device_key(path: Path, system: System) -> bytes:
    """Return the device's key; its file is made, mode 0600, if there is none.

    Args:
        path: of the file.
        system: the machine; a disk's copy in another board gives another key.

    Raises:
        ConfigError: it is no key, or others may read it.
        OutputError: it cannot be made.
    """
    serials = [system.text(place) or "" for place in _SERIALS]
    serial = next((text for text in serials if text), "")
    return hmac.new(_read_key(path), serial.encode(), hashlib.sha256).digest()


def _read_key(path: Path) -> bytes:
    """Return what the file holds; it is made now if there is none."""
    try:
        return _checked_key(path)
    except FileNotFoundError:
        _make_key(path)
    try:
        return _checked_key(path)
    except FileNotFoundError as error:
        raise _not_written(path, error) from error


def _checked_key(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _bad_key(path, (error.strerror or str(error)).lower()) from error
    with open(handle, "rb") as stream:
        facts = os.fstat(handle)
        content = stream.read(_KEY_BYTES + 1) if stat.S_ISREG(facts.st_mode) else b""
    if facts.st_uid not in (os.geteuid(), 0):
        # As root with another's environment (sudo -E): that user could have engines run as root.
        raise _bad_key(path, "is another user's", hint="run this as that user, or with sudo -H")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise _bad_key(path, "others may read it")
    if len(content) != _KEY_BYTES:
        raise _bad_key(path, f"is no key of {_KEY_BYTES} bytes")
    return content


def _make_key(path: Path) -> None:
    """Make the key; of two processes that do so at once one is first, and both read its key."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with open(handle, "wb") as stream:
                stream.write(secrets.token_bytes(_KEY_BYTES))
                stream.flush()
                os.fsync(handle)
            # Unlike a rename, a link never replaces the other process' key.
            with contextlib.suppress(FileExistsError):
                os.link(part, path)
        finally:
            part.unlink()
    except OSError as error:
        raise _not_written(path, error) from error


def _bad_key(path: Path, problem: str, *, hint: str = "") -> EdgeError:
    return ConfigError(
        f"{path}: the key of this device's engines: {problem}",
        hint=hint or f"remove it, and all engines are built again: rm '{path}'",
        code="engine.key",
    )


def _not_written(path: Path, error: OSError) -> EdgeError:
    return OutputError(
        f"{path}: cannot be written: {(error.strerror or str(error)).lower()}",
        hint="free some space, or name a folder that can be written to",
        code="engine.key",
    )
