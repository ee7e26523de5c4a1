"""The parts of a page; whatever goes in is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from benchmarks.page.style import STYLE
from benchmarks.page.text import clean

__all__ = ["badge", "document", "fact_cards", "figure", "legend", "note", "safe", "table"]

#: The page may load and run nothing, whatever a file says.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_MOST = 2000


def safe(text: object) -> str:
    """Return a text as it may stand in a page, in an attribute too."""
    return escape(clean(text, most=_MOST))


def document(title: str, body: str, *, style: str = "") -> str:
    """Return a whole page.

    Args:
        title: plain text.
        body: HTML.
        style: of this page alone, behind what all pages share.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{safe(title)}</title><style>{STYLE}{style}</style></head><body><main>{body}</main>"
        "</body></html>\n"
    )


def badge(text: str, kind: str) -> str:
    """Return a coloured label; ``kind`` is ``good``, ``warn`` or ``bad``."""
    return f'<p class="badge {kind}">{safe(text)}</p>'


def note(text: str, kind: str, lines: Sequence[str] = ()) -> str:
    """Return a coloured box with a sentence and a list; ``kind`` is as in ``badge``."""
    listed = "".join(f"<li>{safe(line)}</li>" for line in lines)
    return (
        f'<div class="note {kind}">{safe(text)}' + (f"<ul>{listed}</ul>" if listed else "")
    ) + "</div>"


def fact_cards(facts: Iterable[tuple[str, str]]) -> str:
    """Return cards of (what, how much)."""
    cards = "".join(
        # Names of files and operators are one long word; they may break at their underscores.
        f"<div><dt>{safe(what)}</dt><dd>{safe(how).replace('_', '_<wbr>')}</dd></div>"
        for what, how in facts
    )
    return f'<dl class="facts">{cards}</dl>'


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    words: Iterable[int] = (0,),
    long: Iterable[int] = (),
    kinds: Sequence[str] = (),
) -> str:
    """Return a table of plain texts.

    Args:
        head: titles.
        rows: cells.
        words: columns that are set left.
        long: columns whose lines may break.
        kinds: of each row: ``strong``, ``weak`` or empty; none is all empty.
    """
    left, broken = frozenset(words), frozenset(long)

    def kind(column: int) -> str:
        said = ["word"] * (column in left | broken) + ["long"] * (column in broken)
        return f' class="{" ".join(said)}"' if said else ""

    top = "".join(f"<th{kind(i)}>{safe(title)}</th>" for i, title in enumerate(head))
    lines = []
    for number, row in enumerate(rows):
        cells = "".join(f"<td{kind(i)}>{safe(cell)}</td>" for i, cell in enumerate(row))
        of_row = kinds[number] if number < len(kinds) else ""
        lines.append(f'<tr class="{of_row}">{cells}</tr>' if of_row else f"<tr>{cells}</tr>")
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def figure(caption: str, svg: str, below: str = "") -> str:
    """Return a plot with its caption and what stands below it; nothing for an empty plot."""
    if not svg:
        return ""
    return f'<figure class="plot"><figcaption>{safe(caption)}</figcaption>{svg}{below}</figure>'


def legend(keys: Iterable[tuple[str, str]], *, marks: Iterable[tuple[str, str]] = ()) -> str:
    """Return what colours mean, from (colour, meaning), and marks, from (class, meaning)."""
    inner = "".join(
        f'<span><i style="background:{shade}"></i>{safe(meaning)}</span>' for shade, meaning in keys
    ) + "".join(f'<span><i class="{mark}"></i>{safe(meaning)}</span>' for mark, meaning in marks)
    return f'<p class="legend">{inner}</p>' if inner else ""
