"""How near two networks are, tensor by tensor, on the same inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from export.inspection.probe import Probe, Sample

__all__ = ["Nearness", "aligned", "nearness", "pairs_of"]

#: As in ``benchmarks.metrics.sqnr_db``: what is the same has this much, not infinity.
_MOST_DB = 99.0
_TO_FIRST = (0, 3, 1, 2)
_TO_LAST = (0, 2, 3, 1)


@dataclass(frozen=True, slots=True)
class Nearness:
    """A tensor of one network against that of another, over all samples.

    Attributes:
        sqnr_db: power of the first against that of the difference, at most 99; not a number where
            either is not finite.
        cosine: of both, read as vectors.
        max_abs: largest difference of any value.
    """

    sqnr_db: float
    cosine: float
    max_abs: float

    def to_json(self) -> dict[str, float | None]:
        """Return the fields, rounded; what is no number is null."""
        return {
            key: round(value, 6) if math.isfinite(value) else None
            for key, value in asdict(self).items()
        }


class _Sums:
    """What has to be kept of a tensor to compare it over many samples."""

    def __init__(self) -> None:
        self.signal = self.other = self.product = self.noise = self.max_abs = 0.0

    def add(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
        x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
        difference = x - y
        self.signal += float(x @ x)
        self.other += float(y @ y)
        self.product += float(x @ y)
        self.noise += float(difference @ difference)
        self.max_abs = max(self.max_abs, float(np.abs(difference).max(initial=0.0)))

    def result(self) -> Nearness:
        if not math.isfinite(self.noise + self.other):
            return Nearness(math.nan, math.nan, math.nan)
        decibel = _MOST_DB
        if self.noise > 0:
            decibel = min(_MOST_DB, 10 * math.log10(max(self.signal, 1e-300) / self.noise))
        length = math.sqrt(self.signal) * math.sqrt(self.other)
        return Nearness(decibel, self.product / length if length > 0 else 0.0, self.max_abs)


def nearness(
    exact: Probe, other: Probe, samples: Sequence[Sample], *, where: str
) -> dict[str, Nearness]:
    """Compare the tensors that two networks have in common.

    Tensors are paired by name, the networks' own outputs by their place.

    Args:
        exact: the measure; usually the float network.
        other: compared with it.
        samples: inputs for both.
        where: name of the other, for messages.

    Returns:
        By the other's tensor names.

    Raises:
        DataError: there are no samples, or a network does not run on them.
    """
    if not samples:
        raise DataError(f"{where}: there are no samples to compare on", code="trace.samples")
    names = pairs_of(exact, other, where=where)
    sums: dict[str, _Sums] = {}
    for sample in samples:
        wanted, found = exact.run(sample), other.run(sample)
        for name, values in found.items():
            partner = wanted.get(names.get(name, name))
            if partner is None or (fitted := aligned(partner, values)) is None:
                continue
            with np.errstate(all="ignore"):
                sums.setdefault(name, _Sums()).add(partner, fitted)
    return {name: kept.result() for name, kept in sums.items()}


def pairs_of(exact: Probe, other: Probe, *, where: str) -> Mapping[str, str]:
    """Return what the other network's outputs are called in the exact one.

    Raises:
        DataError: their numbers differ.
    """
    if len(exact.outputs) != len(other.outputs):
        raise DataError(
            f"{where}: has {len(other.outputs)} outputs and the float network {len(exact.outputs)}",
            code="trace.outputs",
        )
    return {
        theirs: ours for (_, ours), (_, theirs) in zip(exact.outputs, other.outputs, strict=True)
    }


def aligned(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Bring a tensor into the axes of its partner: ONNX keeps NCHW what TFLite has NHWC.

    Where the sizes do not tell, the order that lies nearer is taken. None if nothing fits.
    """
    fits = [found] if found.shape == wanted.shape else []
    if found.ndim == 4 == wanted.ndim and found.shape == tuple(
        wanted.shape[axis] for axis in _TO_FIRST
    ):
        fits.append(found.transpose(_TO_LAST))
    if not fits:
        return found.reshape(wanted.shape) if found.size == wanted.size else None
    # What is infinite in both has no difference.
    with np.errstate(invalid="ignore"):
        return min(fits, key=lambda values: float(np.nansum(np.abs(values - wanted))))
