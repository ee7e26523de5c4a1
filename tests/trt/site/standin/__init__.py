"""A stand-in for TensorRT, PyCUDA and cuda-python on a machine that has none of them.

It is for tests only. It computes nothing by itself (ONNX Runtime does), and refuses what the real
libraries would crash on, or would answer with wrong numbers. Each refusal is a ``Violation``, also
written into the file that ``STANDIN_LOG`` names, because what a destructor raises nobody sees.

What it plays is told by the environment, so that child processes play the same; see ``tests.trt``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["SegmentationFault", "Violation", "destructor", "setting", "violate"]


class Violation(BaseException):
    """Something that the real library would not forgive; no ``except Exception`` takes it."""


class SegmentationFault(BaseException):
    """Here the real library ends the process."""


def setting(name: str, default: str = "") -> str:
    """Return a setting of the stand-in."""
    return os.environ.get(f"STANDIN_{name}", default)


def violate(what: str, *, raising: bool = True) -> None:
    """Note a violation, and raise it where somebody will see it."""
    if log := setting("LOG"):
        with Path(log).open("a", encoding="utf-8") as stream:
            stream.write(what + "\n")
    if raising:
        raise Violation(what)


@contextlib.contextmanager
def destructor() -> Iterator[None]:
    """Let nothing out, as from a destructor: a violation is in the log."""
    with contextlib.suppress(Violation):
        yield
