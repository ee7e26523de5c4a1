"""Say whether a face wears a mask, and whether it sits right."""

from __future__ import annotations

from edge.contract import Contract
from edge.engines.base import Engine
from edge.results import MaskState
from edge.stages.base import Stage
from edge.stages.labels import Labels

__all__ = ["STATES", "MaskStage"]

#: What a mask can be; the contract says in which order.
STATES = ("masked", "unmasked", "incorrect")


class MaskStage(Stage[MaskState]):
    """The likeliest of the states and its probability."""

    def __init__(self, engine: Engine, contract: Contract) -> None:
        super().__init__(engine, contract)
        self._labels = Labels(contract, STATES)

    def decode(self, place: int = 0) -> MaskState:
        """Return the state of a face that was prepared."""
        return MaskState(*self._labels.likeliest(self.stored(self._labels.position, place)))
