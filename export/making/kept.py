"""Which layers of a network stay float, and what each costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from export.cards.names import clean, shorten

__all__ = ["Kept", "LayerCost"]

#: Characters of a layer's name that are said.
_NAME = 60


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer in float costs, all others as they are.

    Attributes:
        layer: name of its output tensor.
        ms: that a run takes longer, one thread.
        size: bytes that the file is larger.
    """

    layer: str
    ms: float
    size: int

    def __str__(self) -> str:
        """In words."""
        name = shorten(clean(self.layer), _NAME)
        return f"{name} in float costs {self.ms:+.3f} ms, {self.size / 1024:+.1f} KiB"


@dataclass(frozen=True, slots=True)
class Kept:
    """Layers that stay float.

    Attributes:
        layers: names of their output tensors, the most sensitive first.
        summary: what the search found, in one line.
        costs: of the most sensitive of them.
    """

    layers: tuple[str, ...] = ()
    summary: str = ""
    costs: tuple[LayerCost, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the fields."""
        return {
            "layers": list(self.layers),
            "summary": self.summary,
            "costs": [asdict(cost) for cost in self.costs],
        }

    @classmethod
    def from_json(cls, stored: Any) -> Kept:
        """Read what ``to_json`` gave and a step kept."""
        costs = tuple(LayerCost(**cost) for cost in stored["costs"])
        return cls(tuple(stored["layers"]), stored["summary"], costs)
