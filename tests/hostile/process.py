"""Run a command of the project as a user does, in a process of its own, and judge how it ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_edge(command: str, *arguments: object, home: Path) -> subprocess.CompletedProcess[str]:
    """Run ``edge-run``, ``edge-gallery`` or ``edge-doctor`` with an empty home."""
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data")}
    environment["OMP_NUM_THREADS"] = "1"
    environment.pop("PYTHONDEVMODE", None)
    module = command.replace("edge-", "edge.cli.")
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def assert_refused(
    ended: subprocess.CompletedProcess[str], code: int, *named: str, output: str = ""
) -> None:
    """Hold the promise: this exit code, one line that names the thing, no traceback."""
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("edge-")
    for name in named:
        assert name in lines[0]
    assert ended.stdout == output


def names(folder: Path) -> list[str]:
    """Return what lies in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())
