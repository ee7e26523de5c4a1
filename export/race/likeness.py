"""Whether an engine computes what the bundle proves, where the evidence was measured on another.

TensorRT chooses its own kernels on every board, and a bundle's evidence comes from ONNX Runtime. So
its answers are held to those of the same file there, or where that is not installed to those of
another artefact of the network.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics import cosine
from edge.engines.base import slot
from edge.errors import EdgeError, UnavailableError
from export.race.scenes import Scene, fill_map, show
from export.race.ways import Way

__all__ = ["LEAST_COSINE", "likeness"]

#: Below it two engines do not compute the same. Q/DQ files differ by a step here and there (sums in
#: another order, ties rounded the other way); kernels that compute something else fall far below.
LEAST_COSINE = 0.98
#: The nearer to float, the better a measure.
_PRECISIONS = ("fp32", "fp16", "int8", "dynamic")


def likeness(way: Way, others: Sequence[Way], scenes: Sequence[Scene]) -> float:
    """Return the cosine of a way's answers with those of an engine that the bundle proves.

    Args:
        way: under test.
        others: of the same network; those on the engines of their evidence are asked.
        scenes: to show to both.

    Returns:
        Of the outputs that differ most, those of one meaning and all scenes together; NaN where it
        gives what is no number. A detector has scores for faces of every size, and where there is
        none of a size they are near zero, of which rounding leaves nothing to compare.

    Raises:
        EdgeError: the way does not run.
        UnavailableError: none of the others does.
    """
    seen = _answers(way, scenes)
    proven = [other for other in others if other.proven]
    proven.sort(
        key=lambda other: (
            other.artefact.file != way.artefact.file,
            _PRECISIONS.index(other.artefact.precision),
            other.threads,
        )
    )
    for other in proven:
        try:
            wanted = _answers(other, scenes)
        except EdgeError:
            continue
        # An engine that is broken may give what is no number; it is like nothing then.
        with np.errstate(all="ignore"):
            found = [cosine(wanted[meaning], seen[meaning]) for meaning in seen]
        return float(np.min(found))
    raise UnavailableError(
        f"{way.artefact.where}: no engine is installed that {way.engine} could be held to",
        code="race.likeness",
    )


def _answers(way: Way, scenes: Sequence[Scene]) -> dict[str, NDArray[np.float32]]:
    """Return the real values of the outputs by their meaning, all scenes together."""
    contract = way.artefact.contract
    answers: dict[str, list[NDArray[np.float32]]] = {}
    with way.open() as engine:
        fill_map(contract, engine)
        for scene in scenes:
            show(contract, engine, scene)
            engine.run()
            # By position: an array in a local name would outlive the engine whose memory it is.
            for i, spec in enumerate(contract.outputs):
                real = spec.to_real(slot(engine, engine.outputs[i], 0))
                answers.setdefault(spec.meaning, []).append(real.ravel())
    return {meaning: np.concatenate(kept) for meaning, kept in answers.items()}
