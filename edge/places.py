"""Where things lie unless the user says otherwise."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.bundle import Bundle

__all__ = ["cache_folder", "default_gallery", "open_bundle", "state_folder"]


def default_gallery() -> Path:
    """Return where the gallery lies unless the user says otherwise (XDG base directories)."""
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(home) / "unveil-edge" / "gallery.sqlite"


def state_folder() -> Path:
    """Return where what has to last lies: systemd's state directory, or that of the user (XDG)."""
    return _folder("STATE_DIRECTORY", "XDG_STATE_HOME", "~/.local/state")


def cache_folder() -> Path:
    """Return where what can be made again lies: systemd's cache directory, or the user's (XDG)."""
    return _folder("CACHE_DIRECTORY", "XDG_CACHE_HOME", "~/.cache")


def _folder(systemd: str, xdg: str, usual: str) -> Path:
    given = os.environ.get(systemd, "").partition(":")[0]
    home = os.environ.get(xdg) or os.path.expanduser(usual)
    return Path(given) if given else Path(home) / "unveil-edge"


def open_bundle(path: Path | None, trust: Sequence[Path] | None) -> Bundle:
    """Open the bundle that was asked for, or the package's own.

    Args:
        path: None for the package's own.
        trust: files of public keys, one of which must have signed it; None demands no signature.

    Raises:
        EdgeError: a key cannot be read, or the bundle does not open.
    """
    from edge.bundle import Bundle, default_bundle
    from edge.signature import read_public_key

    keys = None if trust is None else [read_public_key(key) for key in trust]
    return Bundle.open(path or default_bundle(), keys=keys)
