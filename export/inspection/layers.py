"""The truth about every layer: precision, nearness to float, cost, time, and who computes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.anatomy.costs import Cost, costs
from benchmarks.anatomy.delegate import delegation
from benchmarks.anatomy.graph import read_graph
from benchmarks.anatomy.times import Span, measure_times
from benchmarks.anatomy.tracer import tensor_names
from export.inspection.audit import Operator, audit, audit_onnx
from export.inspection.nearness import Nearness, nearness
from export.inspection.probe import Sample, Step, is_tflite, open_probe
from export.toolchains.tensorrt.layers import PlanLayer

__all__ = ["Layer", "costliest", "layers"]

#: Roles of operators that are no layers of an ONNX file: the pairs around them are.
_BETWEEN = ("converts", "counts", "unpacks")
#: A layer that adds less noise, as a share of its output's power, is not worth naming: 40 dB.
_WORTH = 1e-4
#: Half a step, and what float32 may be off by.
_HALF = 0.5001


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator of an artefact; what only unpacks a constant is none.

    Attributes:
        index: position in the order of execution.
        name: of its first output tensor.
        op: its name in the format's own words.
        precision: what it computes in, see ``export.inspection.audit.Operator``.
        island: it computes in float in a file that computes in integers otherwise.
        near: its output against the float network's on the same inputs, all that came before
            included; None where the float network has no tensor of this name.
        only_rounds: no value is further from float than half a step of the layer's own scale, so
            that a low ``sqnr_db`` says that float has next to nothing to say here.
        added_noise: by how much the share of noise in its output is larger than in the worst of
            its inputs; 0.01 is what takes 20 dB off a clean signal. None where that is unknown.
        cost: by its shapes; of an ONNX file that of the float layer of this name, if there is one.
        piece: which of the delegate's pieces computes it, from 0; None where it was left outside.
        delegated: whether a piece computes it; None where the format knows no delegate.
        time: measured; None where it was not.
        built: the kernel of a TensorRT engine that computes it; None where nothing is known of one.
    """

    index: int
    name: str
    op: str
    precision: str
    island: bool
    near: Nearness | None
    only_rounds: bool
    added_noise: float | None
    cost: Cost | None
    piece: int | None
    delegated: bool | None
    time: Span | None
    built: PlanLayer | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers and strings; what is not known is null."""
        table = asdict(self)
        for key in ("near", "cost", "time", "built"):
            value = getattr(self, key)
            table[key] = None if value is None else value.to_json()
        return table


def layers(
    float_content: bytes | None,
    artefact_content: bytes,
    samples: Sequence[Sample],
    *,
    where: str,
    seconds: float = 10.0,
    keep_float: frozenset[str] = frozenset(),
    built: Mapping[str, PlanLayer] = MappingProxyType({}),
) -> list[Layer]:
    """Compare an artefact with its float network layer by layer.

    Args:
        float_content: float TFLite file; None where there is none to compare with.
        artefact_content: TFLite or ONNX file whose tensors have the same names.
        samples: real values of the inputs, the same for both; the first is timed. Where nothing
            is compared there need be none.
        where: the artefact's name, for messages.
        seconds: to spend on timing, about; 0 leaves it out. ONNX files are not timed by layer.
        keep_float: output tensors of the nodes that were left in float on purpose.
        built: kernels of the TensorRT engine of an ONNX file, by the operators in them.

    Raises:
        DataError: a file cannot be read or run, or a sample does not fit.
        UnavailableError: a runtime is not installed.
    """
    seen = _Seen({}, {}, frozenset())
    if float_content is not None:
        seen = _compare(float_content, artefact_content, samples, where)
    if is_tflite(artefact_content):
        return _of_tflite(artefact_content, samples, seen, where, seconds, keep_float)
    return _of_onnx(float_content, artefact_content, seen, where, keep_float, built)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What running both networks showed, by the artefact's tensor names."""

    near: Mapping[str, Nearness]
    noise: Mapping[str, float]
    rounded: frozenset[str]


def _compare(
    float_content: bytes, artefact_content: bytes, samples: Sequence[Sample], where: str
) -> _Seen:
    exact = open_probe(float_content, where=f"{where}: the float network")
    wanted = frozenset(name for step in exact.steps for name in step.outputs)
    other = open_probe(artefact_content, where=where, wanted=wanted)
    near = nearness(exact, other, samples, where=where)
    return _Seen(
        near=near,
        noise=_added_noise(other.steps, near),
        rounded=frozenset(
            name
            for name, grid in other.grids.items()
            if name in near and near[name].max_abs <= _HALF * grid.scale
        ),
    )


def _added_noise(steps: Sequence[Step], near: Mapping[str, Nearness]) -> dict[str, float]:
    """Return by how much each step's share of noise is above that of its worst input.

    Through steps whose tensors the float network does not have (QUANTIZE and the like) the last
    known share is handed on.
    """
    share = {name: 10 ** (-found.sqnr_db / 10) for name, found in near.items()}
    added: dict[str, float] = {}
    for step in steps:
        before = max((share[name] for name in step.inputs if name in share), default=0.0)
        for name in step.outputs:
            if name in near and math.isfinite(share[name]):
                added[name] = max(0.0, share[name] - before)
            share.setdefault(name, before)
    return added


def costliest(found: Sequence[Layer], count: int) -> list[Layer]:
    """Return the layers that add most noise beyond their own rounding, the worst first."""
    known = [
        layer for layer in found if (layer.added_noise or 0) > _WORTH and not layer.only_rounds
    ]
    return sorted(known, key=lambda layer: -(layer.added_noise or 0.0))[:count]


def _of_tflite(
    content: bytes,
    samples: Sequence[Sample],
    seen: _Seen,
    where: str,
    seconds: float,
    keep_float: frozenset[str],
) -> list[Layer]:
    graph = read_graph(content, where=where)
    names, found = tensor_names(graph), audit(content, where, keep_float=keep_float)
    spent, taken = costs(graph), delegation(content, where=where)
    times: Sequence[Span | None] = [None] * len(graph.nodes)
    if seconds > 0:
        empty = [np.zeros(graph.tensors[index].shape) for _, index in graph.inputs]
        sample = samples[0] if samples else empty
        times = measure_times(content, sample, seconds=seconds, where=where)
    result = []
    for node, operator in zip(graph.nodes, found.operators, strict=True):
        if operator.role == "unpacks":
            continue
        name = names[node.outputs[0]] if node.outputs else ""
        piece = taken.piece_of.get(node.index)
        result.append(
            Layer(
                index=node.index,
                name=name,
                op=node.op,
                precision=operator.precision,
                island=bool(found.integer) and _is_float(operator),
                near=seen.near.get(name),
                only_rounds=name in seen.rounded,
                added_noise=seen.noise.get(name),
                cost=spent[node.index],
                piece=piece,
                delegated=piece is not None,
                time=times[node.index],
            )
        )
    return result


def _of_onnx(
    float_content: bytes | None,
    content: bytes,
    seen: _Seen,
    where: str,
    keep_float: frozenset[str],
    built: Mapping[str, PlanLayer],
) -> list[Layer]:
    spent = {} if float_content is None else _costs_by_name(float_content, where)
    found = audit_onnx(content, where, keep_float=keep_float)
    return [
        Layer(
            index=o.index,
            name=o.name,
            op=o.op,
            precision=o.precision,
            island=bool(found.integer) and _is_float(o),
            near=seen.near.get(o.name),
            only_rounds=o.name in seen.rounded,
            added_noise=seen.noise.get(o.name),
            cost=spent.get(o.name),
            piece=None,
            delegated=None,
            time=None,
            built=built.get(o.name),
        )
        for o in found.operators
        if o.role not in _BETWEEN
    ]


def _costs_by_name(content: bytes, where: str) -> dict[str, Cost]:
    graph = read_graph(content, where=where)
    names = tensor_names(graph)
    pairs = zip(graph.nodes, costs(graph), strict=True)
    return {names[node.outputs[0]]: cost for node, cost in pairs if node.outputs}


def _is_float(operator: Operator) -> bool:
    return operator.role in ("computes", "moves") and operator.precision.startswith("float")
