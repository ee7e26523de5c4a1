"""An engine that computes nothing: it measures the pipeline's own cost."""

from __future__ import annotations

from types import TracebackType

from edge.contract import Contract
from edge.engines.base import allocate

__all__ = ["NullEngine"]


class NullEngine:
    """Take any input, give the real value zero: stored, each output's zero point.

    Args:
        contract: shapes and dtypes of the tensors.
    """

    def __init__(self, contract: Contract) -> None:
        self.name = "null"
        self.inputs = allocate(contract.inputs)
        self.outputs = allocate(contract.outputs)
        for spec, array in zip(contract.outputs, self.outputs, strict=True):
            array.fill(spec.zero_point)

    def run(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> NullEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
