"""Take values out of a TOML file; everything that is wrong with it is said at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["Reader", "Table"]


class Reader:
    """Collect what is wrong.

    Attributes:
        problems: one line each, in the order they were met.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []

    def problem(self, key: str, what: str) -> None:
        """Note what is wrong with a key, once."""
        text = f"{key}: {what}"
        if text not in self.problems:
            self.problems.append(text)


class Table:
    """One table; a wrong value is noted and a harmless one handed out instead.

    Args:
        reader: collects what is wrong.
        prefix: of the keys in messages.
        raw: what TOML gave; untrusted.
        known: the keys it may have, separated by spaces.
    """

    def __init__(self, reader: Reader, prefix: str, raw: object, known: str) -> None:
        self._reader, self._prefix = reader, prefix
        self._fields: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            reader.problem(prefix.rstrip("."), "is missing" if raw is None else "must be a table")
        for key in self._fields:
            if key not in known.split():
                self.problem(key, f"is unknown; known are {known}")

    def problem(self, key: str, what: str) -> None:
        """Note what is wrong with a key of this table."""
        self._reader.problem(self._prefix + key, what)

    def table(self, key: str, known: str) -> Table:
        """Return a table within this one; one that is missing is noted."""
        return Table(self._reader, f"{self._prefix}{key}.", self._fields.get(key), known)

    def tables(self, key: str, known: str) -> list[Table]:
        """Return 1 to 64 tables."""
        items = self._fields.get(key)
        if not isinstance(items, list) or not 1 <= len(items) <= 64:
            self.problem(key, "must be 1 to 64 tables")
            return []
        return [
            Table(self._reader, f"{self._prefix}{key}[{i}].", item, known)
            for i, item in enumerate(items)
        ]

    def text(self, key: str, *, allowed: tuple[str, ...] = (), default: str | None = None) -> str:
        """Return a text; only one with a default may be empty."""
        value = self._fields.get(key, default)
        if value is None:
            self.problem(key, "is missing")
        elif not isinstance(value, str) or len(value) > 2000 or (not value and default is None):
            self.problem(key, f"{value!r} is no text")
        elif allowed and value not in allowed:
            self.problem(key, f"{value!r} is none of {', '.join(map(repr, allowed))}")
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty where it is not there."""
        value = self._fields.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            self.problem(key, f"{value!r} is no list of texts")
            return ()
        return tuple(value)

    def number(self, key: str, low: float, high: float, *, default: float | None = None) -> float:
        """Return a number between two bounds, both included."""
        value = self._fields.get(key, default)
        if value is None:
            self.problem(key, "is missing")
        elif type(value) not in (int, float) or not low <= value <= high or math.isnan(value):
            self.problem(key, f"{value!r} is not between {low:g} and {high:g}")
        else:
            return float(value)
        return low

    def numbers(self, key: str, low: float, high: float) -> tuple[float, ...]:
        """Return one number, or one a channel; 128 where nothing is said."""
        value = self._fields.get(key, 128.0)
        items = value if isinstance(value, list) else [value]
        if len(items) not in (1, 3) or not all(
            type(v) in (int, float) and low <= v <= high for v in items
        ):
            self.problem(key, f"{value!r} is neither one nor three of {low:g} to {high:g}")
            return (128.0,)
        return tuple(float(v) for v in items)

    def whole(self, key: str, low: int, high: int, *, default: int | None = None) -> int:
        """Return a whole number between two bounds, both included."""
        value = self.number(key, low, high, default=default)
        if value != int(value):
            self.problem(key, f"{value!r} is no whole number")
        return int(value)

    def flag(self, key: str) -> bool:
        """Return true or false; false where nothing is said."""
        value = self._fields.get(key, False)
        if not isinstance(value, bool):
            self.problem(key, f"{value!r} is neither true nor false")
        return value is True

    def shape(self, key: str) -> tuple[int, ...]:
        """Return 1 to 6 sizes, each 1 or more."""
        value = self._fields.get(key)
        whole = isinstance(value, list) and all(type(n) is int and n >= 1 for n in value)
        if not isinstance(value, list) or not whole or not 1 <= len(value) <= 6:
            self.problem(key, f"{value!r} is no shape")
            return (1,)
        return tuple(value)
