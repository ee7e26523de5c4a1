"""How much memory a network holds while it is open, each in a process of its own.

    python -m export.race.memory BUNDLE FILE ENGINE

The engine's library is loaded first and does not count: all networks of a pipeline share it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

from edge.board.system import System
from edge.bundle import Bundle
from export.race.scenes import draw_scenes, fill_map, show
from export.race.ways import Way

__all__ = ["memory_mib"]

_LIBRARIES = {
    "tflite": "ai_edge_litert.interpreter",
    "onnxruntime": "onnxruntime",
    "tensorrt": "tensorrt",
}
_RUNS = 3
_PATIENCE_S = 120


def memory_mib(bundle: Path, way: Way) -> float | None:
    """Return by how much the resident memory of a fresh process grows with one network.

    Args:
        bundle: where it lies.
        way: whose artefact and engine are opened, on one thread.

    Returns:
        MiB; None where it does not run. What a GPU holds for itself is not in it.
    """
    arguments = [str(bundle), way.artefact.file, way.engine]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "export.race.memory", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = re.fullmatch(r"(\d{1,9})\s*", done.stdout)
    return int(said[1]) / 1024 if said and not done.returncode else None


def _resident_kib() -> int:
    found = re.match(r"(\d{1,12}) kB$", System().fields("proc/self/status").get("VmRSS", ""))
    return int(found[1]) if found else 0


def _main(bundle: Path, file: str, engine: str) -> None:
    """Open one network, run it, print by how many KiB the process has grown."""
    artefact = next(a for a in Bundle.open(bundle).artefacts if a.file == file)
    if engine in _LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(_LIBRARIES[engine])
    scene = draw_scenes(1)[0]
    before = _resident_kib()
    with Way(artefact, engine, 1).open() as opened:
        fill_map(artefact.contract, opened)
        for _ in range(_RUNS):
            show(artefact.contract, opened, scene)
            opened.run()
        print(max(0, _resident_kib() - before))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
