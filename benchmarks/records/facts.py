"""A table of plain facts as a file has it: of a machine, or of its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from benchmarks.records.check import ResultCheck

__all__ = ["Facts", "Scalar"]

Scalar: TypeAlias = str | int | float | bool | None

_MAX_LEAVES = 1000
_MAX_DEPTH = 6
_MAX_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts by name; a table within the table has its names joined with dots.

    Attributes:
        leaves: every value by its whole name, such as ``versions.numpy``, in the file's order.
    """

    leaves: Mapping[str, Scalar] = field(default_factory=dict)

    @classmethod
    def from_json(cls, check: ResultCheck, raw: object, key: str) -> Facts:
        """Check and build from parsed JSON; a missing table is an empty one.

        Raises:
            DataError: it is no table, or one too large to be a machine's.
        """
        table = {} if raw is None else check.mapping(raw, key)
        leaves: dict[str, Scalar] = {}
        for name, value in _walk(check, key, "", table, _MAX_DEPTH):
            leaves[name] = value
            if len(leaves) > _MAX_LEAVES:
                check.fail(key, f"has more than {_MAX_LEAVES} values")
        return cls(leaves)

    @classmethod
    def of(cls, table: Mapping[str, object]) -> Facts:
        """Build from a table of our own."""
        return cls.from_json(ResultCheck("this run"), dict(table), "facts")

    def to_json(self) -> dict[str, object]:
        """Return the leaves, names as they are."""
        return dict(self.leaves)

    def differing(self, other: Facts) -> dict[str, tuple[Scalar, Scalar]]:
        """Return the names whose values differ, with both; None stands for a missing one."""
        names = dict.fromkeys((*self.leaves, *other.leaves))
        pairs = {name: (self.leaves.get(name), other.leaves.get(name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _walk(
    check: ResultCheck, key: str, path: str, raw: object, depth: int
) -> Iterator[tuple[str, Scalar]]:
    if depth == 0:
        check.fail(key, "is nested too deeply")
    if isinstance(raw, (dict, list)):
        pairs = raw.items() if isinstance(raw, dict) else enumerate(raw)
        for name, value in pairs:
            yield from _walk(check, key, f"{path}.{name}" if path else str(name), value, depth - 1)
    elif isinstance(raw, str) and len(raw) > _MAX_TEXT:
        check.fail(key, f"{path[:80]} is longer than {_MAX_TEXT} characters")
    elif raw is None or isinstance(raw, (str, int, float, bool)):
        yield path[:200], raw
