"""Progress: lines for a pipe, a bar on a terminal, and steps that are counted the same in both."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from export.progress import Progress, open_progress

ROOT = Path(__file__).resolve().parents[2]
#: A long action of two steps, the first with one inside; its name must not become markup.
ACTION = """
from edge.cli.common import run_command
from export.progress import open_progress

def body(argv):
    with open_progress("prog") as progress:
        progress.expect(2)
        for number in range(2):
            with progress.step(f"[red]step{number}"), progress.step("within"):
                progress(f"[bold]line{number}\\x1b[2J")
        if argv:
            raise KeyboardInterrupt
    print("result")
    return 0

import sys
raise SystemExit(run_command("prog", body, sys.argv[1:]))
"""


def _on_terminal(*argv: str) -> tuple[str, str, int]:
    """Run the action with a terminal for standard error; return that, standard output, code."""
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ACTION, *argv],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=writer,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(writer)
    shown = b""
    try:
        while part := os.read(reader, 65536):
            shown += part
    except OSError:  # Linux says so when the other end is closed.
        pass
    os.close(reader)
    assert process.stdout is not None
    out = process.stdout.read().decode()
    process.stdout.close()
    return shown.decode(), out, process.wait(timeout=30)


def test_a_terminal_gets_a_bar_with_the_lines_above_it() -> None:
    pytest.importorskip("rich", reason="needs rich: pip install rich")
    shown, out, code = _on_terminal()
    assert (out, code) == ("result\n", 0)
    assert "2/2" in shown and "━" in shown
    assert "[bold]line0" in shown and "[red]step0" not in out
    # What a stranger's file is called must not steer the terminal.
    assert "\\x1b[2J" in shown and "\x1b[2J" not in shown


def test_an_interrupt_gives_the_terminal_back() -> None:
    pytest.importorskip("rich", reason="needs rich: pip install rich")
    shown, out, code = _on_terminal("stop")
    assert (out, code) == ("", 130)
    assert "\x1b[?25h" in shown, "the cursor is shown again"
    assert shown.rstrip().endswith("unfinished files were removed")


def test_a_pipe_gets_plain_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ACTION], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "result\n"
    assert [line.partition("\\")[0] for line in done.stderr.splitlines()] == [
        "prog: [bold]line0",
        "prog: [bold]line1",
    ]


def test_only_outer_steps_that_end_well_count() -> None:
    lines: list[str] = []
    progress = Progress.of(lines.append)
    progress.expect(3)
    with progress.step("one"):
        progress.expect(7)
        with progress.step("within"):
            progress("a line")
    with pytest.raises(ValueError), progress.step("two"):
        raise ValueError
    assert (progress.done, progress.expected, lines) == (1, 3, ["a line"])
    assert Progress.of(progress) is progress


def test_without_a_terminal_no_bar_is_opened(capsys: pytest.CaptureFixture[str]) -> None:
    with open_progress("prog") as progress:
        progress("line")
    assert type(progress) is Progress
    assert capsys.readouterr().err == "prog: line\n"
