"""Tables for a README."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.page.text import clean

__all__ = ["cell", "markdown_table"]

#: What would begin a link, a tag, code or another cell; a backslash makes it a plain character.
_SPECIAL = "\\`*_[]<>|#~$!"


def cell(text: object) -> str:
    """Return a text that Markdown shows as it is."""
    return "".join(f"\\{c}" if c in _SPECIAL else c for c in clean(text))


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, words: Iterable[int] = (0,)
) -> list[str]:
    """Return a table's lines; columns that are not ``words`` are set right."""
    left = frozenset(words)
    rule = ["---" if i in left else "---:" for i in range(len(head))]
    lines = [f"| {' | '.join(map(cell, head))} |", f"| {' | '.join(rule)} |"]
    return lines + [f"| {' | '.join(map(cell, row))} |" for row in rows]
