"""Build an engine in a process of its own.

TensorRT times hundreds of kernels on the GPU, for minutes. A kernel that faults, an importer that
runs off a hostile graph, or the kernel's out-of-memory killer ends the process it happens in: that
is the builder's alone, and whoever asked (the service at its first start) gets one line and goes on
with another engine. The memory that CUDA and the builder's libraries took is given back whole, too.
Rejected: a thread (dies with the rest), ``multiprocessing`` (hands objects over by pickles, and the
one who wrote them may have read a hostile file).

Both sides share a folder that only this user can read: network and timing cache go in as files,
engine and report come out as such; lines on the child's standard output say how far it is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge import errors
from edge.errors import EdgeError, UnavailableError
from export.toolchains.tensorrt.builder import Options
from export.toolchains.tensorrt.built import Built, DlaShare
from export.toolchains.tensorrt.layers import from_json

__all__ = ["Options", "build"]

#: The child finds its modules where this process found them, and nowhere else: not in the folder
#: that a user happens to stand in.
_START = (
    "import sys; sys.path[:] = sys.argv[1].split(chr(10)); "
    "from export.toolchains.tensorrt.worker import main; raise SystemExit(main(sys.argv[2]))"
)
#: Minutes are usual.
_PATIENCE_S = 3600.0
_MAX_PLAN_BYTES = 1 << 30
_MAX_TIMING_BYTES = 64 << 20
_MAX_REPORT_BYTES = 16 << 20
_MAX_LINE, _MAX_WARNINGS = 64 * 1024, 8
#: Errors that a child may report.
_ERRORS: Mapping[str, type[EdgeError]] = {
    kind.__name__: kind
    for kind in (errors.DataError, errors.TransientError, errors.UnavailableError)
}


def build(
    onnx: bytes,
    options: Options,
    *,
    timing: bytes = b"",
    where: str,
    say: Callable[[str], None] = lambda line: None,
    patience_s: float = _PATIENCE_S,
) -> Built:
    """Build an engine for the GPU and the TensorRT of this machine.

    Args:
        onnx: a bundle's file: int8 as explicit Q/DQ, fp16, or fp32.
        options: precision, memory, accelerator.
        timing: what an earlier ``Built.timing`` held on this machine; makes it faster.
        where: the network's name, for messages.
        say: takes a line of progress.
        patience_s: after so long the builder is ended.

    Raises:
        DataError: it is no ONNX file.
        UnavailableError: there is no GPU, no TensorRT or one of an unknown generation, it lacks an
            operator or a kernel, or it crashed.
        TransientError: it was killed for want of memory, or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="unveil-edge-build-") as place:
        folder = Path(place)
        (folder / "network.onnx").write_bytes(onnx)
        (folder / "timing").write_bytes(timing[:_MAX_TIMING_BYTES])
        request = {"options": asdict(options), "where": where}
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        _run(folder, where, say, patience_s)
        try:
            return _built(folder, options)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            # A fault in the builder can leave anything behind.
            raise _crashed(folder, where, 0) from error


def _run(folder: Path, where: str, say: Callable[[str], None], patience_s: float) -> None:
    """Run the builder to its end."""
    with open(folder / "stderr", "wb") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-c", _START, "\n".join(sys.path), str(folder)],
            # Its end tells the child that this process is gone.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    out_of_patience = threading.Event()

    def give_up() -> None:
        out_of_patience.set()
        child.kill()

    timer = threading.Timer(patience_s, give_up)
    timer.start()
    try:
        _follow(child, say)
        code = child.wait()
    finally:
        timer.cancel()
        child.kill()
        child.communicate()
    if out_of_patience.is_set():
        raise errors.TransientError(
            f"{where}: the TensorRT builder was ended after {patience_s:.0f} s",
            hint="see whether the GPU hangs: sudo dmesg",
            code="build.patience",
        )
    if code != 0:
        raise _crashed(folder, where, code)


def _built(folder: Path, options: Options) -> Built:
    """Read what the builder left.

    Raises:
        EdgeError: it says why it could not build.
    """
    report: Mapping[str, Any] = json.loads(_read(folder / "report.json", _MAX_REPORT_BYTES))
    if error := report.get("error"):
        kind = _ERRORS.get(error["kind"], UnavailableError)
        raise kind(error["what"], hint=error["hint"], code=error["code"])
    done, plan = report["built"], _read(folder / "plan", _MAX_PLAN_BYTES)
    if not plan:
        raise ValueError("an empty engine")
    dla = done["dla"]
    return Built(
        plan=plan,
        timing=_read(folder / "timing", _MAX_TIMING_BYTES),
        layers=from_json(done["layers"]),
        dla=None if dla is None else DlaShare(int(dla["layers"]), tuple(map(str, dla["fallen"]))),
        batch=int(done["batch"]),
        seconds=float(done["seconds"]),
        workspace_mib=options.workspace_mib,
        warnings=tuple(str(text) for text in done["warnings"][:_MAX_WARNINGS]),
    )


def _follow(child: subprocess.Popen[bytes], say: Callable[[str], None]) -> None:
    """Hand on what the child says, until it is silent for ever."""
    assert child.stdout is not None
    while line := child.stdout.readline(_MAX_LINE):
        say(line.decode("utf-8", "replace").strip())


def _crashed(folder: Path, where: str, code: int) -> EdgeError:
    """Return the error of a builder that did not end by itself."""
    if code == -signal.SIGKILL:
        return errors.TransientError(
            f"{where}: the system killed the TensorRT builder, as it does for want of memory",
            hint="stop what else runs, add swap, or give it less: --memory-mib 64",
            code="build.killed",
        )
    how = f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended with {code}"
    last = _last_line(folder / "stderr")
    return UnavailableError(
        f"{where}: the TensorRT builder {how}{': ' + last if last else ''}",
        hint="take the other precision (--precision), or another engine: edge-run --engine tflite",
        code="build.crashed",
    )


def _last_line(path: Path) -> str:
    with open(path, "rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - 2000))
        lines = stream.read().decode("utf-8", "replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return "".join(c for c in said[-1][:300] if c.isprintable()) if said else ""


def _read(path: Path, most: int) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(most)
