"""What ``edge-bench accuracy`` found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.metrics import Interval
from benchmarks.records.check import ResultCheck
from benchmarks.records.facts import Facts

__all__ = ["AccuracyRecord", "Figure"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of merit; ``ci95`` is None where none was given, ``n`` 0 where it is not told."""

    value: float
    ci95: Interval | None
    n: int


@dataclass(frozen=True, slots=True)
class AccuracyRecord:
    """One task on one pack, as its file has it.

    Attributes:
        date: ISO date and time; may be empty.
        task: such as ``mask``.
        data: pack and split.
        n: pictures, or pairs of them.
        figures: by name; those that stand in a table of their own as ``tar_at_far.0.01``.
        fingerprint: of the machine and what ran.
    """

    date: str
    task: str
    data: str
    n: int
    figures: Mapping[str, Figure]
    fingerprint: Facts

    @classmethod
    def from_json(cls, check: ResultCheck, table: Mapping[str, Any]) -> AccuracyRecord:
        """Check and build from parsed JSON: every ``X`` that has an ``X_ci95`` is a figure.

        Raises:
            DataError: a key is missing or holds what cannot be.
        """
        named = check.named(table, "result")
        figures: dict[str, Figure] = {}
        for key in named:
            name = key.removesuffix("_ci95")
            if name != key and name in named:
                figures.update(_figures(check, named, name))
        return cls(
            date=check.note(named, "date"),
            task=check.text(named, "task"),
            data=check.note(named, "data"),
            n=check.count(named, "n"),
            figures=figures,
            fingerprint=Facts.from_json(check, named.get("fingerprint"), "fingerprint"),
        )

    def to_json(self) -> dict[str, object]:
        """Return the file's object without schema and kind; figures lie flat."""
        table: dict[str, object] = {"date": self.date, "task": self.task, "data": self.data}
        table["n"] = self.n
        for name, figure in self.figures.items():
            table[name] = figure.value
            table[f"{name}_ci95"] = None if figure.ci95 is None else list(figure.ci95)
            table[f"{name}_n"] = figure.n
        return {**table, "fingerprint": self.fingerprint.to_json()}


def _figures(check: ResultCheck, table: Mapping[str, Any], name: str) -> dict[str, Figure]:
    """Read one figure, or a table of them such as ``tar_at_far``; what is null is left out."""
    value = table[name]
    if isinstance(value, dict):
        values, ends = check.named(value, name), check.mapping(table[f"{name}_ci95"], name)
        inner = {key: values[key] for key in values}
        inner |= {f"{key}_ci95": ends.get(key) for key in values}
        found = [_figures(check, inner, key) for key in values if not isinstance(values[key], dict)]
        return {f"{name}.{key}": figure for part in found for key, figure in part.items()}
    known = check.known(table, name)
    if known is None:
        return {}
    count = f"{name}_n"
    n = check.count(table, count) if table.get(count) is not None else 0
    return {name: Figure(known, check.interval(table, f"{name}_ci95"), n)}
