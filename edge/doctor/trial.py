"""Try in a process of its own what may end a process: importing compiled code, running a network.

A library made for another processor does not raise an error: it ends Python by a signal.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import edge

__all__ = ["Trial", "main", "try_engine", "try_gpu", "try_import"]

#: The first import on an SD card reads some 60 MB.
_PATIENCE_S = 120.0
_MAX_CHARACTERS = 300
#: What compiled code says that meets another NumPy than it was made for; NumPy's own messages.
_NUMPY = re.compile(
    r"numpy\.\w+ size changed|compiled using NumPy 1\.x|numpy\.core\.multiarray failed to import"
    r"|_ARRAY_API not found|compiled against (?:API|ABI) version"
)
#: Of the module or one above it, else of its distribution, which may be called otherwise.
_IMPORT = """\
import importlib, sys
from importlib import metadata
name = sys.argv[1]
module = importlib.import_module(name)
parts = name.split(".")
above = [sys.modules[".".join(parts[:n])] for n in range(len(parts), 0, -1)]
version = next((v for v in (getattr(m, "__version__", None) for m in above) if v), None)
if version is None:
    names = metadata.packages_distributions().get(parts[0], [])
    version = metadata.version(names[0]) if names else "of unknown version"
print(version)
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """How it ended.

    Attributes:
        good: whether it came to its end.
        said: its result, or why it has none.
        is_numpy: whether the reason is a NumPy that compiled code was not made for.
    """

    good: bool
    said: str
    is_numpy: bool = False


def try_import(module: str, *, python: str = sys.executable) -> Trial:
    """Import a module; the result is its version.

    Args:
        module: the part of a library that needs its compiled code.
        python: the interpreter.
    """
    return _try([python, "-c", _IMPORT, module])


def try_engine(bundle: Path) -> Trial:
    """Open the smallest network of a bundle and run it once; the result says what ran."""
    return _try([sys.executable, "-m", "edge.doctor.trial", str(bundle.absolute())])


def try_gpu(step: str, *, python: str = sys.executable) -> Trial:
    """Take one step towards the GPU; the result says how far it came, see ``gpu_trial``.

    Args:
        step: one of ``gpu_trial.STEPS``.
        python: the interpreter.
    """
    return _try([python, "-m", "edge.doctor.gpu_trial", step])


def _try(command: Sequence[str]) -> Trial:
    try:
        ended = subprocess.run(
            command,
            # ``-m`` looks for this package in the working folder.
            cwd=Path(edge.__file__).resolve().parents[1],
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Trial(False, f"did not end in {_PATIENCE_S:.0f} s")
    except OSError as error:
        return Trial(False, f"Python cannot be started: {error.strerror}")
    return _judge(ended.returncode, ended.stdout, ended.stderr)


def _judge(code: int, stdout: bytes, stderr: bytes) -> Trial:
    """Say how a trial ended."""
    complaint = stderr.decode("utf-8", "replace")
    is_numpy = bool(_NUMPY.search(complaint))
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return Trial(False, f"ends Python by {name}", is_numpy)
    lines = [line.strip() for line in (stdout if code == 0 else stderr).splitlines()]
    last = next((line for line in reversed(lines) if line), b"").decode("utf-8", "replace")
    return Trial(code == 0, last[:_MAX_CHARACTERS] or f"exit code {code}", is_numpy and code != 0)


def main(argv: Sequence[str]) -> None:
    """Open the smallest network of the bundle that is named, run it, and say so."""
    from edge.bundle import Bundle
    from edge.engines import open_engine
    from edge.errors import EdgeError

    (bundle,) = argv
    try:
        artefacts = Bundle.open(bundle).artefacts
    except EdgeError as error:
        sys.exit(str(error))
    made = [artefact for artefact in artefacts if artefact.engine == "tflite"]
    if not made:
        sys.exit(f"{bundle}: has no TFLite network")
    smallest = min(made, key=lambda artefact: artefact.size)
    started = time.perf_counter()
    with open_engine(smallest) as engine:
        engine.run()
    print(f"{smallest.file} opened and run in {(time.perf_counter() - started) * 1e3:.0f} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
