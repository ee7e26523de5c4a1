"""What a silent failure is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from export.cards.names import clean, shorten

__all__ = ["KINDS", "Finding", "spelled"]

_WIDTH = 60

#: What can fail in silence.
KINDS = (
    "bias",  # a stored bias at the end of int32
    "scale",  # a scale that is no positive number
    "weights",  # stored weights that tell almost nothing apart
    "finite",  # values that are no numbers
    "constant",  # the same for every input
    "collapsed",  # steps too coarse for what the layer says
    "clipped",  # a range too narrow for what the layer says
    "order",  # outputs that changed places
)


def spelled(name: str) -> str:
    """Return a tensor's name as it stands in a sentence."""
    return shorten(clean(name), _WIDTH)


@dataclass(frozen=True, slots=True)
class Finding:
    """One silent failure.

    Attributes:
        kind: one of ``KINDS``.
        layer: name of the output tensor of the layer where it begins.
        op: operator of that layer; empty for an input.
        what: one clause with the figures, which goes behind the layer's name.
        inherited: the float network does so already, whatever an artefact adds.
    """

    kind: str
    layer: str
    op: str
    what: str
    inherited: bool = False

    def __str__(self) -> str:
        """Return one line, with the layer's name shortened."""
        return f"{self.op} {spelled(self.layer)}: {self.what}".strip()

    def to_json(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)
