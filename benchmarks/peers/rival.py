"""A rival's worker process: a line in, a number out."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.kinds import Kind
from edge.errors import UnavailableError
from edge.owned import Owned

__all__ = ["ROOT", "Rival"]

#: Of the checkout: the worker finds our modules there, whatever its environment.
ROOT = Path(__file__).resolve().parents[2]


class Rival(Owned):
    """One rival in an environment of its own.

    Args:
        kind: of rival.
        python: interpreter with its libraries.
        arguments: for the worker, see its kind's module.

    Raises:
        UnavailableError: the interpreter cannot be run.
    """

    def __init__(self, kind: Kind, python: Path, arguments: Sequence[str] = ()) -> None:
        self.kind = kind
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        # Absolute, since the worker starts in the root; not resolved, since an environment's
        # interpreter is a link.
        self._command = [
            *(str(python.absolute()), "-m", "benchmarks.peers.worker"),
            *(kind.name, str(kind.threads), *arguments),
        ]
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=ROOT,
                env=environment,
            )
        except OSError as error:
            raise UnavailableError(
                f"{python}: cannot be run: {error.strerror}", hint="run: make peers"
            ) from error

    def load(self, name: str) -> int:
        """Open a network; return its parameters, or the bytes of its file."""
        return self._ask(f"load {name}")

    def run(self, name: str) -> int:
        """Run a network once; return nanoseconds."""
        return self._ask(f"run {name}")

    def _ask(self, line: str) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # The empty answer below says it.
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise UnavailableError(
                f"the worker of {self.kind.name} ended at {line!r}",
                hint=f"see: echo {line} | {' '.join(self._command)}",
            )
        return int(answer)

    def close(self) -> None:
        """End the worker; a second call does nothing."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
