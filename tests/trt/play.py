"""Put the stand-in in the place of TensorRT and CUDA, for one test and the processes it starts.

    def test_...(monkeypatch, tmp_path):
        with play(monkeypatch, tmp_path, tensorrt="10.3", cuda="pycuda"):
            ...

At its end whatever broke a rule fails the test, also in a destructor or in a child process.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import types
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.python_path import python_path
from tests.trt.collect_names import RELEASES

__all__ = ["FLAGGED", "RELEASES", "STRONG", "Play", "play"]

SITE = Path(__file__).parent / "site"
#: Releases whose builder has to be told by flags which precisions it may use, and the others.
FLAGGED, STRONG = RELEASES[:4], RELEASES[4:]
#: Loaded from the stand-in, or bound to what was.
_PLAYED = ("tensorrt", "pycuda", "cuda", "standin", "edge.engines.cuda_")


class Play(Protocol):
    """What the fixture ``board`` gives: ``play`` in the test's own folder."""

    def __call__(self, **settings: Any) -> AbstractContextManager[Path]: ...


@contextlib.contextmanager
def play(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    tensorrt: str = "10.3",
    cuda: str = "pycuda",
    gpu: str = "Orin (nvgpu)",
    driver: bool = True,
    forgive: bool = False,
    **settings: str,
) -> Iterator[Path]:
    """Play a board.

    Args:
        monkeypatch: whose changes are undone at the test's end.
        folder: for the stand-in's log.
        tensorrt: a release of ``RELEASES``; empty: not installed.
        cuda: ``pycuda``, ``cuda-python``, ``cuda-python-old``, several with commas, or empty.
        gpu: its name; empty: there is none.
        driver: whether libcuda.so.1 is there.
        forgive: leave violations to the test; it reads them from the file that it is given.
        settings: others of the stand-in: COMPUTE="8.7", CUDA_VERSION="12.6", MEMORY_MIB="4096"
            (of the GPU), DLA="2" (cores), UNREAD="Relu,..." (operators that the parser lacks),
            WORKSPACE_MIB="64" (that the builder needs), BUILD="crash", "killed", "hang",
            "exit" or "slow", RUNTIME="none" (it does not start), TENSORRT_VERSION="12.0.0".

    Yields:
        The file of violations, one a line.
    """
    log = folder / "violations.txt"
    values = {"TENSORRT": tensorrt, "CUDA": cuda, "GPU": gpu, "LOG": str(log), **settings}
    values["DRIVER"] = "yes" if driver else "no"
    for name in [name for name in os.environ if name.startswith("STANDIN_")]:
        monkeypatch.delenv(name)
    for name, value in values.items():
        monkeypatch.setenv(f"STANDIN_{name}", value)
    root = str(SITE.parents[2])
    monkeypatch.setenv("PYTHONPATH", python_path(SITE, root))
    monkeypatch.syspath_prepend(str(SITE))
    _forget()
    monkeypatch.setattr(ctypes, "CDLL", _loader(driver))
    try:
        yield log
        gc.collect()
    finally:
        _forget()
    if log.exists() and not forgive:
        pytest.fail("against the rules of TensorRT or CUDA:\n" + log.read_text(encoding="utf-8"))


def _loader(driver: bool) -> Any:
    load = ctypes.CDLL

    def loader(name: Any, *arguments: Any, **options: Any) -> Any:
        if name != "libcuda.so.1":
            return load(name, *arguments, **options)
        if not driver:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return types.SimpleNamespace(cuCtxPopCurrent_v2=lambda context: 0)

    return loader


def _forget() -> None:
    """Have the next import read the libraries again."""
    for name in [name for name in sys.modules if name.startswith(_PLAYED)]:
        # A module's own name, one below it, or those of edge that name a library at their top.
        if name.split(".")[0] in _PLAYED or name.startswith("edge.engines.cuda_"):
            del sys.modules[name]
