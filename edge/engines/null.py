"""An engine that computes nothing: it measures the pipeline's own cost."""

from __future__ import annotations

from edge.contract import Contract
from edge.engines.base import allocate
from edge.owned import Owned

__all__ = ["NullEngine"]


class NullEngine(Owned):
    """Take any input, give the real value zero: stored, each output's zero point.

    Args:
        contract: shapes and dtypes of the tensors.
    """

    def __init__(self, contract: Contract) -> None:
        self.name = "null"
        self.batch = 1
        self.inputs = allocate(contract.inputs)
        self.outputs = allocate(contract.outputs)
        for spec, array in zip(contract.outputs, self.outputs, strict=True):
            array.fill(spec.zero_point)

    def run(self, count: int = 1) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
