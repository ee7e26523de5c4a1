"""Take values out of a result file, or refuse them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from benchmarks.metrics import Interval
from edge.check import Check
from edge.errors import DataError

__all__ = ["CODE", "ResultCheck"]

#: Of every error that a result file causes.
CODE = "bench.result"

#: No figure of a run is larger, whatever its unit: 10^15 ns are eleven days.
_HUGE = 1e15
_MAX_TEXT = 2000
_MAX_KEYS = 200
_MAX_REASONS = 100


class ResultCheck(Check):
    """``edge.check.Check`` for result files: what is refused is a ``DataError``.

    Args:
        where: the file, for messages.
    """

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise the one error of this class."""
        raise DataError(
            f"{self.where}: {key[:80]}: {problem}",
            hint="measure again with: edge-bench latency --json, or accuracy, or sweep",
            code=CODE,
        )

    def named(self, raw: object, key: str) -> Mapping[str, Any]:
        """Return a JSON object of few keys, each short enough for a table."""
        table = self.mapping(raw, key)
        if len(table) > _MAX_KEYS or any(len(name) > _MAX_KEYS for name in table):
            self.fail(key, f"has more than {_MAX_KEYS} keys, or a longer one")
        return table

    def figure(self, table: Mapping[str, Any], key: str) -> float:
        """Return a number from 0 on."""
        return self.number(table, key, 0, _HUGE)

    def known(self, table: Mapping[str, Any], key: str) -> float | None:
        """Return any number, or None where it is missing or null."""
        return None if table.get(key) is None else self.number(table, key, -_HUGE, _HUGE)

    def count(self, table: Mapping[str, Any], key: str) -> int:
        """Return a whole number from 0 on."""
        return self.integer(table, key, 0, 10**12)

    def note(self, table: Mapping[str, Any], key: str) -> str:
        """Return a text; empty where it is missing or null."""
        known = {key: table.get(key) or ""}
        return self.text(known, key, empty=True, most=_MAX_TEXT)

    def notes(self, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        """Return a list of texts; empty where it is missing."""
        return tuple(
            self.text({key: line}, key, most=_MAX_TEXT)
            for line in self.items(table.get(key, []), key, 0, _MAX_REASONS)
        )

    def interval(self, table: Mapping[str, Any], key: str) -> Interval | None:
        """Return lower and upper end; None where there is none, or an end is null."""
        ends = table.get(key)
        if ends is None or (isinstance(ends, list) and ends in ([], [None, None])):
            return None
        low, high = (
            self.number({key: end}, key, -_HUGE, _HUGE) for end in self.items(ends, key, 2, 2)
        )
        if low > high:
            self.fail(key, "the lower end lies above the upper one")
        return low, high
