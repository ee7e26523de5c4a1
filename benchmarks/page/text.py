"""How figures and names are written: harmless, and short enough to read."""

from __future__ import annotations

import math
import re

__all__ = ["clean", "interval_text", "moment_text", "number_text"]

_LONGEST = 300
_UNKNOWN = "–"


def clean(text: object, *, most: int = _LONGEST) -> str:
    """Return a text without what a terminal or a page could take for a command.

    Control characters, escapes and marks that turn the direction of writing become dots; of a very
    long text the beginning is kept.
    """
    whole = str(text)
    kept = "".join(c if c.isprintable() else "·" for c in whole[:most])
    return kept + "…" * (len(whole) > most)


def number_text(value: float | None, *, digits: int = 4) -> str:
    """Return a number with so many significant digits, or a dash for what is not known.

    >>> [number_text(v) for v in (12.3456, 0.98765, 1234.5, 0.0, None)]
    ['12.35', '0.9877', '1234', '0', '–']
    """
    if value is None or not math.isfinite(value):
        return _UNKNOWN
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(max(places, 0), 12)}f}"


def interval_text(ends: tuple[float, float] | None, *, digits: int = 4) -> str:
    """Return ``low to high``, or a dash."""
    if ends is None:
        return _UNKNOWN
    return " to ".join(number_text(end, digits=digits) for end in ends)


def moment_text(iso: str) -> str:
    """Return an ISO date and time as people write it; what is none stays as it is.

    >>> moment_text("2026-11-21T17:30:48+00:00")
    '2026-11-21 17:30 UTC'
    """
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:\+00:00|Z)", iso)
    return f"{match[1]} {match[2]} UTC" if match else iso
