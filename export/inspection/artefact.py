"""All that can be told of one artefact beside its float network, in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from benchmarks.anatomy.costs import arena_bytes
from benchmarks.anatomy.delegate import Delegation, delegation
from benchmarks.anatomy.graph import read_graph
from export.inspection.activations import Activation, bad_activations
from export.inspection.audit import Audit, audit, audit_onnx
from export.inspection.layers import Layer, costliest, layers
from export.inspection.probe import Sample, is_tflite
from export.inspection.silent import Finding, silent
from export.toolchains.rules import Finding as Broken
from export.toolchains.rules import check_rules, first_reader, has_pairs
from export.toolchains.tensorrt.layers import PlanLayer

__all__ = ["Inspection", "inspect"]

_SCHEMA = "unveil-edge.inspection/1"
#: Layers that add most noise, named beside the table.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Inspection:
    """One artefact, looked at from all sides.

    Attributes:
        name: of the artefact.
        size: bytes of the file.
        samples: on how many inputs it was compared with float; 0 where there was no float network.
        audit: what it computes in.
        layers: in the order of execution.
        findings: silent failures; a healthy network has none.
        activations: those that quantise or delegate badly.
        delegation: pieces, and who was left outside; None for ONNX.
        arena_bytes: most bytes of activations alive at one moment, an estimate; None for ONNX.
        means: what was done for INT8 beside rounding, as far as anybody says so.
        tensorrt: the first release of TensorRT that reads it; None for TFLite, and where none does.
        rules: of TensorRT's that a Q/DQ file breaks.
    """

    name: str
    size: int
    samples: int
    audit: Audit
    layers: tuple[Layer, ...]
    findings: tuple[Finding, ...]
    activations: tuple[Activation, ...]
    delegation: Delegation | None
    arena_bytes: int | None
    means: tuple[str, ...] = ()
    tensorrt: str | None = None
    rules: tuple[Broken, ...] = ()

    @property
    def total_ms(self) -> float | None:
        """One run, one thread; None where it was not timed."""
        spans = [layer.time for layer in self.layers]
        if not spans or any(span is None for span in spans):
            return None
        return math.fsum(span.ms for span in spans if span is not None)

    @property
    def totals(self) -> dict[str, int]:
        """Parameters, multiply-accumulates and bytes of weights of all layers."""
        known = [layer.cost for layer in self.layers if layer.cost is not None]
        return {
            "parameters": sum(cost.parameters for cost in known),
            "macs": sum(cost.macs for cost in known),
            "weight_bytes": sum(cost.weight_bytes for cost in known),
        }

    @property
    def costliest(self) -> list[Layer]:
        """The layers that add most noise, the worst first."""
        return costliest(self.layers, _NAMED)

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings; what is not known is null."""
        total = self.total_ms
        return {
            "schema": _SCHEMA,
            "name": self.name,
            "bytes": self.size,
            "samples": self.samples,
            "audit": self.audit.to_json(),
            "means": list(self.means),
            "total_ms": None if total is None else round(total, 4),
            "totals": self.totals,
            "arena_bytes_estimate": self.arena_bytes,
            "delegation": None if self.delegation is None else self.delegation.to_json(),
            "tensorrt": self.tensorrt,
            "rules": [broken.to_json() for broken in self.rules],
            "findings": [finding.to_json() for finding in self.findings],
            "activations": [activation.to_json() for activation in self.activations],
            "costliest": [layer.name for layer in self.costliest],
            "layers": [layer.to_json() for layer in self.layers],
        }


def inspect(
    float_content: bytes | None,
    artefact_content: bytes,
    samples: Sequence[Sample],
    *,
    where: str,
    seconds: float = 10.0,
    keep_float: frozenset[str] = frozenset(),
    means: tuple[str, ...] = (),
    built: Mapping[str, PlanLayer] = MappingProxyType({}),
) -> Inspection:
    """Look at an artefact from all sides.

    Args:
        float_content: float TFLite file; None where there is none to compare with, and then
            nothing is said of nearness and of silent failures.
        artefact_content: TFLite or ONNX file whose tensors have the same names.
        samples: real values of the inputs, two at least: ones that the calibration did not see.
        where: the artefact's name, for messages and in the report.
        seconds: to spend on timing the layers, about; 0 leaves it out.
        keep_float: output tensors of the nodes that were left in float on purpose.
        means: what was done for INT8 beside rounding, for the report.
        built: kernels of the TensorRT engine of an ONNX file, by the operators in them.

    Raises:
        DataError: a file cannot be read or run, or there are too few samples.
        UnavailableError: a runtime is not installed.
    """
    tflite = is_tflite(artefact_content)
    look = audit if tflite else audit_onnx
    found = layers(
        float_content,
        artefact_content,
        samples,
        where=where,
        seconds=seconds,
        keep_float=keep_float,
        built=built,
    )
    graph = read_graph(artefact_content, where=where) if tflite else None
    findings: list[Finding] = []
    if float_content is not None:
        findings = silent(float_content, artefact_content, samples, where=where)
    return Inspection(
        name=where,
        size=len(artefact_content),
        samples=len(samples) if float_content is not None else 0,
        audit=look(artefact_content, where, keep_float=keep_float),
        layers=tuple(found),
        findings=tuple(findings),
        activations=tuple(bad_activations(graph, found)) if graph else (),
        delegation=delegation(artefact_content, where=where) if graph else None,
        arena_bytes=arena_bytes(graph) if graph else None,
        means=means,
        tensorrt=None if tflite else first_reader(artefact_content, where=where),
        rules=() if tflite else _broken(artefact_content, where),
    )


def _broken(content: bytes, where: str) -> tuple[Broken, ...]:
    """Hold a file with Q/DQ pairs to TensorRT's rules; others go to ONNX Runtime as they are."""
    return tuple(check_rules(content, where=where)) if has_pairs(content, where=where) else ()
