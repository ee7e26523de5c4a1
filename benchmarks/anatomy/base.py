"""What a look into a running network is, whatever the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError

__all__ = ["Grid", "Probe", "Sample", "Step", "fit_sample"]

#: Real values of one run, one array an input, in the order of the network's own signature.
Sample = Sequence[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Grid:
    """The values that a quantised tensor can take: ``(code - zero_point) * scale``.

    Attributes:
        scale: the step.
        zero_point: the code of zero.
        first, last: least and greatest code.
    """

    scale: float
    zero_point: int
    first: int
    last: int

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest real value."""
        return (
            (self.first - self.zero_point) * self.scale,
            (self.last - self.zero_point) * self.scale,
        )

    def codes(self, real: NDArray[Any]) -> NDArray[np.float64]:
        """Round real values half to even onto the grid: whole numbers, clipped to the ends."""
        steps = np.rint(np.asarray(real, np.float64) / self.scale) + self.zero_point
        codes: NDArray[np.float64] = np.clip(steps, self.first, self.last)
        return codes

    def real(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        """Turn codes into real values, float32."""
        values: NDArray[np.float32] = codes.astype(np.float32) - np.float32(self.zero_point)
        return values * np.float32(self.scale)


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a file, its tensors by name; left-out inputs are empty."""

    index: int
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Probe(Protocol):
    """A network that shows what its operators make.

    Attributes:
        inputs: tensor names, in the order of the signature.
        outputs: (name in the signature, tensor name), in its order.
        steps: operators in the order of execution.
        grids: of the tensors that are quantised by one scale.
    """

    inputs: tuple[str, ...]
    outputs: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    grids: Mapping[str, Grid]

    def run(self, sample: Sample) -> Mapping[str, NDArray[np.float32]]:
        """Compute one sample.

        Returns:
            Real values by tensor name, in new memory; what only counts (shapes, indices) is not
            among them.

        Raises:
            DataError: the sample does not fit, or the runtime fails.
        """
        ...


def fit_sample(
    sample: Sample, shapes: Sequence[tuple[int, ...]], *, where: str
) -> list[NDArray[Any]]:
    """Give the arrays of a sample the shapes of the inputs.

    Raises:
        DataError: their number or their sizes are others.
    """
    sizes = [int(np.prod(shape, dtype=np.int64)) for shape in shapes]
    found = [np.asarray(array) for array in sample]
    if [array.size for array in found] != sizes:
        raise DataError(
            f"{where}: a sample has shapes {[list(a.shape) for a in found]} and the network takes "
            f"{[list(shape) for shape in shapes]}",
            code="trace.sample",
        )
    return [array.reshape(shape) for array, shape in zip(found, shapes, strict=True)]
