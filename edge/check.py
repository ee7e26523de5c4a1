"""Read untrusted JSON tables; every refusal names the file and the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, NoReturn

from edge.errors import BundleError

__all__ = ["Check"]


class Check:
    """Take values out of parsed JSON, or refuse them.

    Args:
        where: file and key, for messages.
    """

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise the one error of this class."""
        raise BundleError(
            f"{self.where}: {key[:80]}: {problem}",
            hint="make the bundle again with: edge-export make --out BUNDLE",
            code="contract.value",
        )

    def mapping(self, raw: object, key: str) -> Mapping[str, Any]:
        """Return a JSON object of any keys."""
        if not isinstance(raw, dict):
            self.fail(key, "must be a table")
        return raw

    def table(self, raw: object, kind: type) -> dict[str, Any]:
        """Return the fields of dataclass ``kind``, its defaults filled in; no other key."""
        table = self.mapping(raw, kind.__name__)
        known = {info.name: info.default for info in fields(kind)}
        for key in table:
            if key not in known:
                self.fail(key, f"unknown; {kind.__name__} has {', '.join(known)}")
        for name, default in known.items():
            if name not in table and default is MISSING:
                self.fail(name, "is missing")
        return {**known, **table}

    def items(self, raw: object, key: str, low: int, high: int) -> list[Any]:
        """Return a list of ``low`` to ``high`` items."""
        if not isinstance(raw, (list, tuple)) or not low <= len(raw) <= high:
            self.fail(key, f"must be a list of {low} to {high} items")
        return list(raw)

    def text(
        self, table: Mapping[str, Any], key: str, *, empty: bool = False, most: int = 200
    ) -> str:
        """Return a text of at most so many characters."""
        value = table.get(key)
        if not isinstance(value, str) or len(value) > most or (not value and not empty):
            self.fail(key, f"{_short(value)} is no text of at most {most} characters")
        return value

    def one_of(self, table: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> str:
        """Return one of the allowed texts."""
        value = table.get(key)
        if value not in allowed:
            self.fail(key, f"{_short(value)} is none of {', '.join(map(repr, allowed))}")
        return str(value)

    def number(self, table: Mapping[str, Any], key: str, low: float, high: float) -> float:
        """Return a number between two finite bounds, both included; NaN is none."""
        value = table.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fail(key, f"{_short(value)} is no number")
        if not low <= value <= high:
            self.fail(key, f"{_short(value)} is not between {low:g} and {high:g}")
        return float(value)

    def integer(self, table: Mapping[str, Any], key: str, low: int, high: int) -> int:
        """Return a whole number between two bounds, both included."""
        value = table.get(key)
        if type(value) is not int or not low <= value <= high:
            self.fail(key, f"{_short(value)} is no whole number between {low} and {high}")
        return value

    def truth(self, table: Mapping[str, Any], key: str) -> bool:
        """Return true or false."""
        value = table.get(key)
        if not isinstance(value, bool):
            self.fail(key, f"{_short(value)} is neither true nor false")
        return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
