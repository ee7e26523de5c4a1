"""Write a float TFLite file as ONNX: fp32, fp16, or INT8 with explicit Q/DQ."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.anatomy.graph import Graph, read_graph
from edge.errors import UsageError
from export.onnx_writer.half import check_half
from export.onnx_writer.leading import free_leading
from export.onnx_writer.qdq import quantise
from export.onnx_writer.scales import check_ranges
from export.onnx_writer.serialise import serialise
from export.onnx_writer.translate import translate
from export.onnx_writer.trim import trim
from export.program.canonical import canonical
from export.quantisation.scales import Steps, steps_of

__all__ = ["OPSETS", "PRECISIONS", "write_onnx"]

PRECISIONS = ("fp32", "fp16", "int8")
#: QuantizeLinear takes one scale a channel from 13 on. TensorRT 8.5 and 8.6 read up to 17, 9.2 up
#: to 19, 10.0 up to 20 (onnx-tensorrt, docs/operators.md).
OPSETS = range(13, 22)
#: From 21 on ONNX Runtime moves an int8 input's DequantizeLinear behind the Transpose and then
#: either refuses what it made or, in older versions, loses all numbers below zero (its issues
#: 25526 and 27845).
_LAST_INT8 = 20


def write_onnx(
    content: bytes,
    *,
    precision: str,
    ranges: Mapping[str, tuple[float, float]] | None,
    keep_float: frozenset[str] = frozenset(),
    opset: int = 17,
    where: str,
) -> bytes:
    """Write a float TFLite file as ONNX.

    Activations keep their names; inputs and outputs have the signature's, and the TFLite file's
    shapes, NHWC for pictures. Inside, pictures are NCHW. Where the inputs' first axis is 1, whoever
    runs the file may let it be more, see ``leading``.

    ``fp16`` has float32 inputs and outputs with a Cast at each and float16 between; written so
    from the start: onnxconverter-common keeps every Resize float32 between Casts (10 instead of 2
    in the map network), which a strongly typed network takes at their word.

    ``int8`` has int8 inputs, stored as in the full INT8 TFLite file
    (``export.quantisation.scales.steps_of`` of their ranges), float32 outputs, and Q/DQ pairs as
    ``placement`` says; see ``qdq``.

    Args:
        content: the TFLite file.
        precision: one of ``PRECISIONS``.
        ranges: least and greatest real value of each float activation, by tensor name. ``int8``
            needs them; ``fp16`` checks them against what float16 holds, if they are given.
        keep_float: names of tensors; the operators that make them stay without Q/DQ. ``int8`` only.
        opset: of ONNX, one of ``OPSETS``; for ``int8`` 20 at most.
        where: name of the file, for messages.

    Returns:
        The ONNX file; equal input gives equal bytes.

    Raises:
        UsageError: there is no such precision or opset, ``int8`` has no ranges, or no operator
            makes a tensor of ``keep_float``.
        DataError: the content is no TFLite file, or the ranges are of another network.
        ConfigError: operators cannot be written, or a range is beyond float16.
        UnavailableError: onnx is not installed.
    """
    _check_usage(precision, ranges, keep_float, opset)
    graph = read_graph(canonical(content, where=where), where=where)
    known = ranges if precision == "int8" else None
    kept = _origins(graph, keep_float, where)
    if precision == "fp16":
        check_half(ranges, where=where)
    draft = translate(
        graph,
        opset=opset,
        real="float16" if precision == "fp16" else "float32",
        inputs=None if known is None else _input_steps(graph, known, where),
        where=where,
    )
    draft = trim(draft)
    if known is not None:
        draft = quantise(draft, known, kept, where=where)
    return serialise(free_leading(draft), opset=opset)


def _check_usage(
    precision: str,
    ranges: Mapping[str, tuple[float, float]] | None,
    keep_float: frozenset[str],
    opset: int,
) -> None:
    if precision not in PRECISIONS:
        raise UsageError(
            f"no precision {precision!r}; there are {', '.join(PRECISIONS)}", code="onnx.precision"
        )
    last = _LAST_INT8 if precision == "int8" else OPSETS.stop - 1
    if not OPSETS.start <= opset <= last:
        raise UsageError(
            f"no {precision} in opset {opset}; there are {OPSETS.start} to {last}",
            code="onnx.opset",
        )
    if precision == "int8" and ranges is None:
        raise UsageError("INT8 needs the ranges of a calibration", code="export.ranges")
    if precision != "int8" and keep_float:
        raise UsageError(f"nothing is kept float in {precision}", code="export.keep_float")


def _origins(graph: Graph, keep_float: frozenset[str], where: str) -> frozenset[str]:
    """Return the first outputs of the operators that make the named tensors."""
    names = {
        graph.tensors[index].name: graph.tensors[node.outputs[0]].name
        for node in graph.nodes
        for index in node.outputs
    }
    unknown = sorted(keep_float - names.keys())
    if unknown:
        raise UsageError(f"{where}: no operator makes {unknown[0]!r}", code="export.keep_float")
    return frozenset(names[name] for name in keep_float)


def _input_steps(
    graph: Graph, ranges: Mapping[str, tuple[float, float]], where: str
) -> dict[str, Steps]:
    tensors = [graph.tensors[index] for _, index in graph.inputs]
    names = [tensor.name for tensor in tensors if tensor.dtype == "float32"]
    check_ranges(ranges, names, where=where)
    return {name: steps_of(ranges[name]) for name in names}
