"""Where the INT8 TFLite file and the Q/DQ ONNX file of one calibration differ, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.graph import Graph, read_graph
from edge.errors import DataError
from export.inspection.nearness import aligned
from export.inspection.probe import Sample, open_probe
from export.onnx_writer.scales import symmetric_scale
from export.program.canonical import canonical
from export.quantisation.scales import steps_of

__all__ = ["LayerAgreement", "agreement"]

#: What is the same has this much, as in ``benchmarks.metrics.sqnr_db``.
_MOST_DB = 99.0
_Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class LayerAgreement:
    """One activation in both artefacts, over all samples.

    Attributes:
        name: of the tensor.
        op: TFLite operator that makes it; empty for an input.
        tflite_db, onnx_db: power of the float values against that of the artefact's error.
        mutual_db: power of the float values against that of the artefacts' difference.
        lost_db: how much of that this layer lost: ``mutual_db`` against that of the worst of its
            inputs, or against what rounding to both artefacts' steps explains, if that is less.
        most_steps: largest difference, in steps of TensorRT's symmetric scale.
    """

    name: str
    op: str
    tflite_db: float
    onnx_db: float
    mutual_db: float
    lost_db: float
    most_steps: float

    def to_json(self) -> dict[str, object]:
        """Return the fields, rounded to three decimals."""
        return {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def agreement(
    float_content: bytes,
    tflite_int8: bytes,
    onnx_int8: bytes,
    samples: Iterable[Sample],
    ranges: _Ranges,
) -> list[LayerAgreement]:
    """Compare the two artefacts on every activation that both have.

    A difference goes on through all layers behind it, so what counts is where it arises: the
    layers that lost most stand first.

    Args:
        float_content: the float TFLite file from which both were made.
        tflite_int8, onnx_int8: the artefacts.
        samples: real inputs.
        ranges: of the calibration that both were made with.

    Raises:
        DataError: there are no samples, or a file cannot be read or does not run.
        UnavailableError: a runtime is not installed.
    """
    content = canonical(float_content, where="the float network")
    graph = read_graph(content, where="the float network")
    wanted = frozenset(ranges)
    exact = open_probe(content, where="the float network")
    tflite = open_probe(tflite_int8, where="the INT8 TFLite file")
    onnx = open_probe(onnx_int8, where="the Q/DQ ONNX file", wanted=wanted)
    sums: dict[str, _Sums] = {}
    for sample in samples:
        values, stored, other = exact.run(sample), tflite.run(sample), onnx.run(sample)
        for name in wanted & values.keys() & stored.keys() & other.keys():
            a, b = aligned(values[name], stored[name]), aligned(values[name], other[name])
            if a is not None and b is not None:
                sums.setdefault(name, _Sums()).add(values[name], a, b)
    if not sums:
        raise DataError("agreement: there are no samples to compare on", code="trace.samples")
    layers = _layers(graph, sums, ranges)
    return sorted(layers, key=lambda layer: (-layer.lost_db, layer.name))


class _Sums:
    """What is kept of one activation."""

    def __init__(self) -> None:
        self.count = 0
        self.signal = self.tflite = self.onnx = self.mutual = self.most = 0.0

    def add(
        self,
        exact: NDArray[np.float32],
        tflite: NDArray[np.float32],
        onnx: NDArray[np.float32],
    ) -> None:
        """Take one sample's values in, all of one shape."""
        wanted, a, b = (array.astype(np.float64) for array in (exact, tflite, onnx))
        self.count += wanted.size
        self.signal += float((wanted**2).sum())
        self.tflite += float(((a - wanted) ** 2).sum())
        self.onnx += float(((b - wanted) ** 2).sum())
        self.mutual += float(((a - b) ** 2).sum())
        self.most = max(self.most, float(np.abs(a - b).max(initial=0.0)))

    def decibel(self, noise: float) -> float:
        """Return the signal's power against a noise's, at most 99."""
        if noise <= 0:
            return _MOST_DB
        return min(_MOST_DB, 10 * math.log10(max(self.signal, 1e-300) / noise))


def _layers(graph: Graph, sums: Mapping[str, _Sums], ranges: _Ranges) -> list[LayerAgreement]:
    mutual = {name: kept.decibel(kept.mutual) for name, kept in sums.items()}
    makers = {graph.tensors[i].name: node for node in graph.nodes for i in node.outputs}
    sources = _sources(graph, set(sums))
    layers = []
    for name, kept in sums.items():
        step = symmetric_scale(ranges[name])
        # Rounding to steps of one width is off by a twelfth of its square (Widrow, 1956).
        rounding = kept.count * (step**2 + steps_of(ranges[name])[0] ** 2) / 12
        brought = min((mutual[source] for source in sources[name]), default=_MOST_DB)
        maker = makers.get(name)
        layers.append(
            LayerAgreement(
                name=name,
                op=maker.op if maker else "",
                tflite_db=kept.decibel(kept.tflite),
                onnx_db=kept.decibel(kept.onnx),
                mutual_db=mutual[name],
                lost_db=min(brought, kept.decibel(rounding)) - mutual[name],
                most_steps=kept.most / step,
            )
        )
    return layers


def _sources(graph: Graph, compared: set[str]) -> dict[str, set[str]]:
    """Return the compared activations that each tensor is computed from."""
    names = [tensor.name for tensor in graph.tensors]
    found: dict[str, set[str]] = {name: set() for name in names}
    for node in graph.nodes:
        near: set[str] = set()
        for index in node.inputs:
            if index >= 0:
                near |= {names[index]} if names[index] in compared else found[names[index]]
        for index in node.outputs:
            found[names[index]] = near
    return found
