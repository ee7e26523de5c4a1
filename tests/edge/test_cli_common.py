"""How a command's body ends is how the command ends: one line and an exit code."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cli.common import run_command
from tests.hostile.process import ROOT
from tests.python_path import python_path


def asks_too_much(argv: Sequence[str]) -> int:
    """Ask OpenCV for a picture of a tebibyte."""
    cv2.resize(np.zeros((1, 1, 3), np.uint8), (1 << 20, 1 << 19))
    return 0


def allocates_too_much(argv: Sequence[str]) -> int:
    raise MemoryError


def is_wrong(argv: Sequence[str]) -> int:
    """Ask OpenCV for what cannot be."""
    cv2.resize(np.zeros((1, 1, 3), np.uint8), (0, 0))
    return 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (asks_too_much, "edge-x: out of memory; "),
        (allocates_too_much, "edge-x: out of memory; "),
        (is_wrong, "edge-x: internal error: "),
    ],
)
def test_memory_that_is_refused_is_no_defect(
    body: object, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("edge-x", body, []) == 70  # type: ignore[arg-type]
    line = capsys.readouterr().err
    assert line.startswith(said) and line.count("\n") == 1


@pytest.mark.parametrize("closed", ["2>&-", "0<&- 2>&-"])
def test_no_file_takes_the_place_of_a_stream_that_is_closed(closed: str, tmp_path: Path) -> None:
    """LiteRT prints to descriptor 2, whatever file that is."""
    ended = _edge_run(f"--sink jsonl:a.jsonl {closed}", tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert len(lines) == 2 and all(json.loads(line) for line in lines)


def test_results_for_a_closed_standard_output_are_an_error(tmp_path: Path) -> None:
    ended = _edge_run("--sink jsonl:- >&-", tmp_path)
    assert ended.returncode == 73
    assert ended.stderr.startswith("edge-run: standard output: bad file descriptor")


def _edge_run(rest: str, home: Path) -> subprocess.CompletedProcess[str]:
    source = "'synthetic://?faces=0&width=64&height=64&frames=2'"
    command = f"{shlex.quote(sys.executable)} -m edge.cli.run --source {source} {rest}"
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": python_path(ROOT)}
    environment.pop("PYTHONDEVMODE", None)
    return subprocess.run(
        ["sh", "-c", command], cwd=home, env=environment, capture_output=True, text=True, timeout=60
    )
