"""How far a long action is: a bar on a terminal, lines for everybody else.

Steps that are known before make up the bar's length. A step within another one is none of its own:
it only changes the words beside the bar.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edge.cli.common import say as say_line

if TYPE_CHECKING:
    import rich.progress

__all__ = ["Bar", "Progress", "Say", "open_progress"]

#: Takes one line.
Say = Callable[[str], None]


class Progress:
    """Hand lines on and count the steps; nothing is drawn.

    Args:
        say: takes one line.

    Attributes:
        expected: steps that are known of.
        done: steps that are over.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._within: list[str] = []
        self.expected = self.done = 0

    @classmethod
    def of(cls, say: Say) -> Progress:
        """Return what takes lines as what takes steps too."""
        return say if isinstance(say, Progress) else Progress(say)

    def __call__(self, line: str) -> None:
        """Say one line."""
        self._say(line)

    def expect(self, steps: int) -> None:
        """Announce steps; those that are announced within a step are part of that one."""
        if not self._within:
            self.expected += steps
            self._draw()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Do one step; one that fails does not count."""
        self._within.append(name)
        self._draw()
        try:
            yield
        finally:
            self._within.pop()
            self._draw()
        if not self._within:
            self.done += 1
            self._draw()

    def _draw(self) -> None:
        """Show how far it is."""


class Bar(Progress):
    """Draw a bar below the lines.

    Args:
        bar: open.
    """

    def __init__(self, bar: rich.progress.Progress) -> None:
        super().__init__(self._print)
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def _print(self, line: str) -> None:
        from rich.text import Text

        # Text, not markup: a name may hold brackets, or what would steer the terminal.
        printable = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
        self._bar.console.print(Text(printable))

    def _draw(self) -> None:
        self._bar.update(
            self._task,
            total=max(self.expected, self.done) or None,
            completed=self.done,
            description=" ".join(self._within[-1:]),
        )


@contextlib.contextmanager
def open_progress(program: str) -> Iterator[Progress]:
    """Open what a command tells its progress to, on standard error.

    A bar where that is a terminal and rich is installed; else every line by itself.

    Args:
        program: name that begins a line where there is no bar.
    """
    bar = _bar()
    if bar is None:
        yield Progress(lambda line: say_line(program, line))
        return
    with bar:
        yield Bar(bar)


def _bar() -> rich.progress.Progress | None:
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )
    except ImportError:
        return None
    return Progress(
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        # Text of ours or a stranger's: no markup.
        TextColumn("{task.description}", markup=False),
        console=Console(file=sys.stderr, highlight=False),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
