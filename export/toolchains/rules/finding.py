"""One rule that a file breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from export.cards.names import clean, shorten
from export.onnx_writer.view import Call, View

__all__ = ["Fault", "Finding", "Release", "Rule"]

_WIDTH = 60

#: An operator at fault, and what is wrong with it.
Fault = tuple[Call, str]
#: Such as ``(10, 3)``.
Release = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand of TensorRT's.

    Attributes:
        check: goes through a file and yields the operators at fault, for a release.
        source: where it is written.
    """

    check: Callable[[View, Release], Iterator[Fault]]
    source: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a file breaks.

    Attributes:
        rule: its name, a key of ``RULES``.
        node: first output of the operator at fault.
        why: what is wrong there, one clause.
        source: where the rule is written.
    """

    rule: str
    node: str
    why: str
    source: str

    def __str__(self) -> str:
        """Return one line, with the operator's name shortened."""
        return f"{shorten(clean(self.node), _WIDTH)}: {self.why} ({self.rule}: {self.source})"

    def to_json(self) -> dict[str, str]:
        """Return the fields."""
        return asdict(self)
