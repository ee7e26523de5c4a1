"""Failures that no runtime reports: the file runs, and what comes out means nothing."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.anatomy.graph import read_graph
from edge.errors import DataError
from export.inspection.probe import Sample, is_tflite, open_probe
from export.inspection.silent.constants import check_constants
from export.inspection.silent.finding import KINDS, Finding
from export.inspection.silent.order import check_order, check_runtime_order
from export.inspection.silent.values import STILL, Watch, check_values

__all__ = ["KINDS", "STILL", "Finding", "silent"]


def silent(
    float_content: bytes,
    artefact_content: bytes,
    samples: Sequence[Sample],
    *,
    where: str = "the artefact",
) -> list[Finding]:
    """Look for silent failures of an artefact; each is named with its layer.

    Args:
        float_content: float TFLite file.
        artefact_content: TFLite or ONNX file whose tensors have the same names. What a file keeps
            to itself (a bias in int32, the order in the runtime) is looked at in TFLite only.
        samples: real values of the inputs, two at least and not all the same: inputs that the
            calibration did not see.
        where: the artefact's name, for messages.

    Returns:
        In the order of execution within each kind; none for a healthy network.

    Raises:
        DataError: a file cannot be read or run, or there are fewer than two samples.
        UnavailableError: a runtime is not installed.
    """
    if len(samples) < 2:
        raise DataError(
            f"{where}: {len(samples)} samples; whether an output moves shows from two on",
            code="silent.samples",
        )
    found: list[Finding] = []
    if is_tflite(artefact_content):
        graph = read_graph(artefact_content, where=where)
        found = check_constants(read_graph(float_content, where="the float network"), graph)
        if any(finding.kind == "scale" for finding in found):
            # Nothing that is computed with such a scale says anything.
            return found
        found += check_runtime_order(artefact_content, graph, where=where)
    exact = open_probe(float_content, where="the float network")
    wanted = frozenset(name for step in exact.steps for name in step.outputs)
    other = open_probe(artefact_content, where=where, wanted=wanted)
    watch = Watch(exact, other, where=where)
    for sample in samples:
        watch.add(sample)
    found += check_values(watch)
    found += check_order(watch.outputs)
    return found
