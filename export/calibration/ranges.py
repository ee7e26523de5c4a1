"""One calibration: the range of every float tensor of a network over real inputs.

Both the TFLite and the Q/DQ ONNX artefact take their scales from it, by the tensors' names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.graph import Graph, Tensor, read_graph
from edge.contract import TensorSpec
from edge.errors import DataError, UsageError
from export.calibration.observers import CHOICES, Ends, Histogram, Span, percentile
from export.program.canonical import canonical
from export.program.runner import Runner, Sample

__all__ = ["Ranges", "Sample", "Span", "byte_spans", "observe"]

_SCHEMA = 1
_MAX_TENSORS = 1_000_000
#: Nothing is that large but the border of a pool for maxima: minus infinity, or nearly so.
_BORDER = 3e38
#: No float32 is larger.
_MAX_REAL = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, eq=False)
class Ranges(Mapping[str, Span]):
    """Least and greatest real value of each float tensor that is no constant, by its name.

    Attributes:
        spans: the ranges.
        method: how they were chosen.
        count: how many samples were seen.
        digest: SHA-256, in hex, over the samples in their order.
    """

    spans: Mapping[str, Span]
    method: str
    count: int
    digest: str

    def __getitem__(self, name: str) -> Span:
        """Return one tensor's range."""
        return self.spans[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self.spans)

    def __len__(self) -> int:
        """Return how many tensors there are."""
        return len(self.spans)

    def replaced(self, spans: Mapping[str, Span]) -> Ranges:
        """Return the same calibration with other ranges for some tensors."""
        return Ranges(
            MappingProxyType({**self.spans, **spans}), self.method, self.count, self.digest
        )

    def to_json(self) -> dict[str, object]:
        """Return plain dictionaries, numbers and strings; equal calibrations give equal ones."""
        return {
            "schema": _SCHEMA,
            "method": self.method,
            "count": self.count,
            "digest": self.digest,
            "ranges": {name: list(self.spans[name]) for name in sorted(self.spans)},
        }

    @classmethod
    def from_json(cls, raw: object, *, where: str) -> Ranges:
        """Check and build a calibration from parsed JSON.

        Args:
            raw: what ``json.loads`` gave; untrusted.
            where: the file, for messages.

        Raises:
            DataError: a key is missing, or has a value that cannot be.
        """
        fields: dict[str, Any] = raw if isinstance(raw, dict) else {}
        stored = fields.get("ranges")
        method, count, digest = (fields.get(key) for key in ("method", "count", "digest"))
        if (
            fields.get("schema") != _SCHEMA
            or not isinstance(stored, dict)
            or len(stored) > _MAX_TENSORS
            or not isinstance(method, str)
            or not isinstance(digest, str)
            or type(count) is not int
            or count < 1
        ):
            raise DataError(f"{where}: is no calibration", code="ranges.format")
        for name, span in stored.items():
            if not _is_span(span):
                raise DataError(f"{where}: {name}: {span!r} is no range", code="ranges.format")
        spans = {name: (float(a), float(b)) for name, (a, b) in stored.items()}
        return cls(MappingProxyType(spans), method, count, digest)


def observe(
    content: bytes,
    samples: Iterable[Sample],
    *,
    method: str = "minmax",
    share: float = 99.99,
    spans: Sequence[Span | None] = (),
    where: str,
) -> Ranges:
    """Run a float network on samples and choose a range for each of its tensors.

    One pass; of the samples only one is in memory, and of each tensor a histogram.

    Args:
        content: float TFLite file.
        samples: real inputs, as the network will see them.
        method: ``minmax`` takes the true ends, the others cut off what is rare, see
            ``export.calibration.observers``. A moving average of each sample's ends, which the
            quantiser's own calibration takes, cuts off whatever differs from sample to sample more
            than within one: the trained detector had 11.7 dB of signal to noise with it and 28.5 dB
            with the true ends, the emotion network 15.3 and 35.4 dB.
        share: of the values that ``percentile`` keeps, in percent.
        spans: of the inputs, in their order, where they are known beforehand, see ``byte_spans``.
        where: the network's name, for messages.

    Raises:
        UsageError: there is no such method.
        DataError: no samples, one of another shape, a value that is not finite (the tensor is
            named), or a file that does not run.
    """
    if (method != "minmax" and method not in CHOICES) or not 50 <= share <= 100:
        raise UsageError(
            f"calibration: {method!r} at {share:g} %: there are minmax, {', '.join(CHOICES)}, "
            "and a percentile between 50 and 100",
            code="ranges.method",
        )
    content = canonical(content, where=where)
    graph = read_graph(content, where=where)
    watched = _activations(graph)
    observers = [Ends() if method == "minmax" else Histogram() for _ in watched]
    padded, stored = _with_infinite_border(graph), _stored(graph)
    runner = Runner(content, graph, where)
    total, count = hashlib.sha256(), 0
    for sample in samples:
        runner.run(sample, count)
        for array in sample:
            total.update(array.tobytes())
        for tensor, observer in zip(watched, observers, strict=True):
            known = stored.get(tensor.index)
            values = runner.read(tensor) if known is None else known
            if tensor.index in padded:
                values = values[np.abs(values) < _BORDER]
            if not observer.add(values):
                raise DataError(
                    f"{where}: tensor {tensor.name} is not finite on sample {count}",
                    hint="look for weights or inputs that are not finite",
                    code="ranges.finite",
                )
        count += 1
    if not count:
        raise DataError(f"{where}: no samples to calibrate with", code="export.samples")
    chosen = {
        tensor.name: _choose(observer, method, share)
        for tensor, observer in zip(watched, observers, strict=True)
    }
    for (_, index), span in zip(graph.inputs, spans, strict=False):
        if span is not None:
            chosen[graph.tensors[index].name] = span
    return Ranges(MappingProxyType(chosen), method, count, total.hexdigest())


def byte_spans(specs: Sequence[TensorSpec]) -> tuple[Span | None, ...]:
    """Return the real values of bytes 0 and 255 for each input that takes bytes, else None.

    With them, whatever the samples show, an input's step is one byte: ours, ``(byte - 128) / 128``,
    get scale 1/128 and zero point 0, and a camera's byte is the stored int8 with its top bit
    turned. A mean that is no whole number moves every value by less than half a step.

    Args:
        specs: of the network's inputs, with the mean and the scale of their bytes.
    """
    return tuple(
        ((0 - spec.mean) / spec.std, (255 - spec.mean) / spec.std) if spec.meaning else None
        for spec in specs
    )


def _choose(observer: Ends, method: str, share: float) -> Span:
    if not isinstance(observer, Histogram):
        return observer.span()
    if method == "percentile":
        return percentile(observer, share=share)
    span: Span = CHOICES[method](observer)
    return span


def _with_infinite_border(graph: Graph) -> set[int]:
    """Return the tensors that a pool for maxima had padded: their border is no value to store.

    In int8 it becomes the least number, and no maximum is ever that.
    """
    return {
        node.outputs[0]
        for node in graph.nodes
        if node.op == "PADV2"
        and (border := graph.tensors[node.inputs[2]].data) is not None
        and (np.abs(border) >= _BORDER).all()
    }


def _stored(graph: Graph) -> dict[int, NDArray[np.float32]]:
    """Return what weights are that the file stores smaller, such as float16, by tensor index.

    The delegate reads them itself: what the runtime would show of their tensors is whatever lay in
    that memory.
    """
    return {
        node.outputs[0]: graph.tensors[node.inputs[0]].real
        for node in graph.nodes
        if node.op == "DEQUANTIZE" and graph.tensors[node.inputs[0]].data is not None
    }


def _activations(graph: Graph) -> list[Tensor]:
    """Return the float tensors that are computed or put in."""
    indices = [index for _, index in graph.inputs]
    indices += [index for node in graph.nodes for index in node.outputs]
    tensors = (graph.tensors[index] for index in dict.fromkeys(indices))
    return [tensor for tensor in tensors if tensor.dtype == "float32" and tensor.data is None]


def _is_span(span: object) -> bool:
    return (
        isinstance(span, list)
        and len(span) == 2
        and all(type(end) in (int, float) and -_MAX_REAL <= end <= _MAX_REAL for end in span)
        and span[0] <= span[1]
    )
