"""Have the TensorRT engines built that this board lacks, in a process of its own.

The toolchain belongs to the workstation half, which nothing here imports; and a builder that runs
out of memory takes nothing with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable

from edge.errors import TransientError, UnavailableError
from edge.service.config import Config

__all__ = ["build_engines"]

#: The child finds its modules where this process found them, and not in the working folder.
_START = (
    "import sys; sys.path[:] = sys.argv[1].split(chr(10)); "
    "from export.cli import main; raise SystemExit(main(sys.argv[2:]))"
)
_LOOK_S = 0.5
#: All networks of a bundle on the slowest Jetson take a quarter of it.
_LONGEST_S = 3600.0
_MOST_LINES = 200


def build_engines(
    config: Config, precision: str, *, log: Callable[[str], None], wait: Callable[[], bool]
) -> None:
    """Run ``edge-export build`` and pass on what it says.

    Args:
        config: names the bundle, and the accelerator.
        precision: of the engines.
        log: takes its lines.
        wait: called twice a second meanwhile; false ends the build.

    Raises:
        TransientError: it was told to stop.
        UnavailableError: the build failed, and its own words were logged; or takes longer than an
            hour.
    """
    command = [
        sys.executable,
        "-c",
        _START,
        "\n".join(sys.path),
        "build",
        *([config.bundle] * bool(config.bundle)),
        "--precision",
        precision,
        *(["--dla", config.dla] * bool(config.dla)),
    ]
    for key in config.trust:
        command += ["--trust", key]
    log("building the TensorRT engines that this board lacks: it takes minutes")
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said = _await(process, wait)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    for line in said.splitlines()[:_MOST_LINES]:
        log(line)
    if process.returncode:
        raise UnavailableError(
            "the TensorRT engines could not be built",
            hint="see the lines before this one; by hand: edge-export build",
            code="engine.build",
        )


def _await(process: subprocess.Popen[str], wait: Callable[[], bool]) -> str:
    """Return what the process said when it has ended."""
    for _ in range(round(_LONGEST_S / _LOOK_S)):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_LOOK_S)[1]
        if not wait():
            raise TransientError("the build of the engines was stopped", code="engine.stopped")
    raise UnavailableError(
        "the build of the engines takes longer than an hour",
        hint="see why with: edge-export build",
        code="engine.build",
    )
