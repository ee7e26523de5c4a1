"""Whether the outputs still stand where they stood in float."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.graph import Graph
from benchmarks.anatomy.tracer import interpreter, tensor_names
from export.inspection.nearness import aligned
from export.inspection.silent.finding import Finding

__all__ = ["Outputs", "check_order", "check_runtime_order"]

#: An output belongs to another place if it lies so much nearer to that one: 6 dB.
_NEARER = 0.25


class Outputs:
    """Squared differences between every output of an artefact and every one of float.

    Args:
        exact: float's tensor names, in the order of the signature.
        other: (name in the signature, tensor name) of the artefact.
    """

    def __init__(self, exact: Sequence[str], other: Sequence[tuple[str, str]]) -> None:
        self.exact, self.other = list(exact), list(other)
        #: [of the artefact, of float]; infinite where the shapes differ
        self.distance: NDArray[np.float64] = np.zeros((len(other), len(exact)))

    def add(
        self, wanted: Mapping[str, NDArray[np.float32]], found: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Compare the outputs of one sample."""
        for i, (_, name) in enumerate(self.other):
            for j, partner in enumerate(self.exact):
                self.distance[i, j] += _distance(wanted[partner], found[name])


def check_order(outputs: Outputs) -> list[Finding]:
    """Find outputs that hold what another one holds in float."""
    found = []
    for i, (label, name) in enumerate(outputs.other):
        row = outputs.distance[i]
        place = int(np.argmin(row))
        if place == i or not row[place] < _NEARER * row[i]:
            continue
        # Two outputs may be alike; they have changed places only if nothing else fits better.
        if row[place] > outputs.distance[:, place].min():
            continue
        what = (
            f"{label} holds what {outputs.other[place][0]} holds in float: the outputs have "
            "changed places"
        )
        found.append(Finding("order", name, "", what))
    return found


def check_runtime_order(content: bytes, graph: Graph, *, where: str) -> list[Finding]:
    """Find outputs that the runtime counts in another order than the file's signature.

    Whoever reads them by their place in ``get_output_details`` gets another one.

    Raises:
        DataError: the runtime refuses the file.
    """
    if not graph.signature:
        return []
    names = tensor_names(graph)
    runtime = [int(d["index"]) for d in interpreter(content, where=where).get_output_details()]
    found = []
    for place, (label, index) in enumerate(graph.outputs):
        if (
            index not in runtime
            or runtime.index(index) == place
            or runtime[place : place + 1] == [index]
        ):
            continue
        what = (
            f"get_output_details() has it at place {runtime.index(index)} and the signature, as "
            f"{label}, at {place}: read it by its name"
        )
        found.append(Finding("order", names[index], "", what))
    return found


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    fitted = aligned(a, b) if a.shape == b.shape or a.ndim == 4 else None
    if fitted is None:
        return float("inf")
    with np.errstate(all="ignore"):
        return float(np.square(fitted.astype(np.float64) - a).sum())
