"""The process in which an engine is built; see ``build``."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from pathlib import Path

from edge.engines.gpu import open_gpu
from edge.engines.plans import import_tensorrt
from edge.errors import EdgeError
from export.toolchains.tensorrt.builder import Options, build_here

__all__ = ["main"]


def main(place: str) -> int:
    """Build what the request in a folder asks for.

    Args:
        place: the folder; engine, timing cache and report are written into it.
    """
    _go_first_for_want_of_memory()
    folder = Path(place)
    threading.Thread(target=_end_with_parent, args=[folder], daemon=True).start()
    try:
        report: dict[str, object] = {"built": _build(folder)}
    except EdgeError as error:
        report = {"error": _to_json(error)}
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    return 0


def _build(folder: Path) -> dict[str, object]:
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    # Before anything of TensorRT: without a device its runtime ends the process.
    gpu = open_gpu()
    try:
        built = build_here(
            import_tensorrt(),
            (folder / "network.onnx").read_bytes(),
            Options(**request["options"]),
            timing=(folder / "timing").read_bytes(),
            where=request["where"],
            say=lambda line: print(line, flush=True),
        )
    finally:
        gpu.close()
    (folder / "plan").write_bytes(built.plan)
    (folder / "timing").write_bytes(built.timing)
    return {
        "layers": [layer.to_json() for layer in built.layers],
        "dla": None if built.dla is None else built.dla.to_json(),
        "batch": built.batch,
        "seconds": built.seconds,
        "warnings": list(built.warnings),
    }


def _to_json(error: EdgeError) -> dict[str, str]:
    return {
        "kind": type(error).__name__,
        "what": error.what,
        "hint": error.hint,
        "code": error.code,
    }


def _go_first_for_want_of_memory() -> None:
    """Let the kernel end this process before the service; proc_pid_oom_score_adj(5)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("900")


def _end_with_parent(folder: Path) -> None:
    """End when whoever asked is gone, who would have removed the folder.

    The handle of standard input is only closed by the parent's end.
    """
    # Not through sys.stdin, whose lock nobody may hold when the interpreter ends.
    while os.read(0, 1024):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
