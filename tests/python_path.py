"""Folders that a child process imports from, before those that this one's children have already."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["python_path"]


def python_path(*folders: Path | str) -> str:
    """Return a ``PYTHONPATH``; what stood in it stays, for libraries may lie there alone."""
    before = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join([*map(str, folders), *([before] if before else [])])
