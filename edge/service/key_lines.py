"""On which line of a TOML file a key stands; the parser of the standard library keeps no lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

__all__ = ["key_lines", "line_of", "quoted"]

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_TABLE = re.compile(rf"[ \t]*\[\[?[ \t]*({_DOTTED})[ \t]*\]")
_PAIR = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_FENCE = re.compile(r'"""|' + "'''")


def key_lines(text: str) -> dict[str, int]:
    """Return the line, from 1, where each key or table is first named, by its dotted name.

    Args:
        text: of a file that a TOML parser took.
    """
    found: dict[str, int] = {}
    table: tuple[str, ...] = ()
    for number, line in _plain_lines(text):
        head = _TABLE.match(line)
        if head is not None:
            table = tuple(_parts(head.group(1)))
            found.setdefault(".".join(table), number)
            continue
        pair = _PAIR.match(line)
        if pair is not None:
            parts = (*table, *_parts(pair.group(1)))
            for depth in range(1, len(parts) + 1):
                found.setdefault(".".join(parts[:depth]), number)
    return found


def quoted(key: str) -> str:
    """Return one part of a dotted name as it may stand in one: in quotes unless it is plain."""
    return key if _BARE.fullmatch(key) else json.dumps(key)


def line_of(lines: dict[str, int], key: str) -> int | None:
    """Return the line of a key; of one inside an inline table, that of the table."""
    while key:
        if key in lines:
            return lines[key]
        key = key.rpartition(".")[0]
    return None


def _plain_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that do not begin inside a text of several lines."""
    inside = ""
    for number, line in enumerate(text.split("\n"), 1):
        if not inside:
            yield number, line
        for fence in _FENCE.findall(line):
            if not inside:
                inside = fence
            elif inside == fence:
                inside = ""


def _parts(dotted: str) -> list[str]:
    return [quoted(_plain(part)) for part in re.findall(_KEY, dotted)]


def _plain(part: str) -> str:
    """Return one part of a key without the quotes that it may stand in."""
    if part.startswith('"'):
        try:
            return str(json.loads(part))
        except ValueError:  # an escape that TOML alone has
            return part
    return part.strip("'")
