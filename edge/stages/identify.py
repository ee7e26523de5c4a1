"""Turn an aligned face into a direction; two pictures of one person point the same way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract
from edge.engines.base import Engine
from edge.stages.base import Stage

__all__ = ["IdentifyStage", "unit"]


class IdentifyStage(Stage[NDArray[np.float32]]):
    """An embedding float32 ``[D]`` of length 1, in the space of ``contract.revision``."""

    def __init__(self, engine: Engine, contract: Contract) -> None:
        super().__init__(engine, contract)
        self._position = contract.output("embedding")

    def decode(self, place: int = 0) -> NDArray[np.float32]:
        """Return the embedding of a face that was prepared, in new memory."""
        spec = self.contract.outputs[self._position]
        return unit(spec.to_real(self.stored(self._position, place)).ravel())


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale a vector to length 1; a vector of zeros stays one."""
    length = float(np.sqrt(vector.dot(vector)))
    return np.asarray(vector / max(length, 1e-12), np.float32)
