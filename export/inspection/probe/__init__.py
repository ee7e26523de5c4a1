"""Look into a network while its runtime computes it: values, pieces, times."""

from __future__ import annotations

from benchmarks.anatomy.base import Grid, Probe, Sample, Step
from benchmarks.anatomy.tracer import TFLiteProbe
from edge.errors import DataError
from export.inspection.probe.session import OnnxProbe

__all__ = ["Grid", "Probe", "Sample", "Step", "is_tflite", "open_probe"]

_IDENTIFIER = b"TFL3"


def is_tflite(content: bytes) -> bool:
    """Tell a TFLite file from an ONNX file, which has no mark of its own."""
    return content[4:8] == _IDENTIFIER


def open_probe(content: bytes, *, where: str, wanted: frozenset[str] = frozenset()) -> Probe:
    """Open a TFLite or an ONNX file so that the values of its tensors can be seen.

    Args:
        content: the file.
        where: its name, for messages.
        wanted: names of the tensors to show; a TFLite file shows all.

    Raises:
        DataError: the file cannot be read, or the runtime refuses it.
        UnavailableError: the runtime is not installed.
    """
    if not content:
        raise DataError(f"{where}: is empty", code="trace.open")
    if is_tflite(content):
        return TFLiteProbe(content, where=where)
    return OnnxProbe(content, where=where, wanted=wanted)
