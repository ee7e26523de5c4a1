"""Where stand-ins for libraries are found while a test wants them, and not a moment longer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["STAND_INS", "stood_in"]

STAND_INS = Path(__file__).with_name("stand_ins")


@contextmanager
def stood_in() -> Iterator[None]:
    """Have ``import picamera2`` and its like find the stand-ins."""
    sys.path.insert(0, str(STAND_INS))
    before = set(sys.modules)
    try:
        yield
    finally:
        sys.path.remove(str(STAND_INS))
        for name in {path.stem for path in STAND_INS.glob("*.py")} & (set(sys.modules) - before):
            del sys.modules[name]
