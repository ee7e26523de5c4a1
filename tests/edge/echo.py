"""An engine that takes several faces, and whose answers depend on what each of them looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract, TensorSpec
from edge.owned import Owned

__all__ = ["EchoEngine"]

#: A black byte as INT8 has it; added, it gives of a black face black again.
_BLACK = np.uint8(0x80)


class EchoEngine(Owned):
    """Each output's bytes are sums of bytes of the same face's inputs, here and there.

    Outputs beyond the faces that ran are spoilt, so that nobody may read them.

    Args:
        contract: INT8.
        batch: faces at once.

    Attributes:
        counts: of faces, run by run.
    """

    def __init__(self, contract: Contract, batch: int = 1) -> None:
        self.name, self.batch = "echo", batch
        self.inputs, self.outputs = self._made(contract.inputs), self._made(contract.outputs)
        self.counts: list[int] = []

    def run(self, count: int = 1) -> None:
        """Answer for so many faces."""
        assert 1 <= count <= self.batch
        self.counts.append(count)
        for output in self.outputs:
            output.fill(77)
        for place in range(count):
            seen = np.concatenate([array[place].ravel().view(np.uint8) for array in self.inputs])
            for number, output in enumerate(self.outputs):
                target = output[place].reshape(-1).view(np.uint8)
                steps = np.arange(target.size) * (7 + number)
                target[:] = seen[steps % seen.size] + seen[(steps + 5) % seen.size] + _BLACK

    def close(self) -> None:
        """Do nothing."""

    def _made(self, specs: tuple[TensorSpec, ...]) -> tuple[NDArray[Any], ...]:
        return tuple(np.zeros((self.batch, *spec.shape[1:]), spec.dtype) for spec in specs)
