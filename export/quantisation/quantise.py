"""Quantise a float TFLite file: full INT8, or float16 or int8 weights alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.anatomy.graph import Graph, read_graph
from benchmarks.anatomy.quiet import quiet
from edge.errors import DataError, UnavailableError, UsageError
from export.calibration.ranges import Ranges
from export.program.canonical import canonical
from export.quantisation.absorb import absorb
from export.quantisation.large import large_layers, to_hybrid
from export.quantisation.nearest import enlarge_by_copies
from export.quantisation.scales import Settled, settle

__all__ = ["IO", "quantise", "to_dynamic", "to_fp16"]

#: Types that an INT8 file can have at its ends.
IO = ("int8", "uint8")


def quantise(
    content: bytes,
    ranges: Ranges,
    *,
    keep_float: frozenset[str] = frozenset(),
    io: str = "int8",
    where: str = "the network",
) -> bytes:
    """Quantise to full INT8: weights a channel, activations a tensor, int32 bias.

    A picture's byte is the stored int8 with its top bit turned. With ``uint8`` the file takes the
    byte itself, at the price of one QUANTIZE a tensor: no runtime has int8 weights a channel
    beside uint8 activations.

    Args:
        content: float TFLite file.
        ranges: of that file, from ``export.calibration.ranges.observe``.
        keep_float: names of tensors; the operators that make them stay float, with QUANTIZE and
            DEQUANTIZE round them.
        io: ``int8`` or ``uint8``, at inputs and outputs.
        where: the network's name, for messages.

    Returns:
        TFLite file; equal input gives equal bytes. Operators that neither the quantiser nor
        ``export.quantisation.absorb`` can give integers stay float: look with
        ``export.inspection.audit``. Nearest-neighbour enlarging is written as copies, which the
        delegate takes.

    Raises:
        UnavailableError: ai-edge-quantizer is not installed.
        UsageError: no operator makes a tensor of ``keep_float``, or there is no such ``io``.
        DataError: the ranges are of another network, or the file cannot be quantised.
    """
    if io not in IO:
        raise UsageError(f"{where}: io {io!r} is none of {', '.join(IO)}", code="export.io")
    content = canonical(content, where=where)
    graph = read_graph(content, where=where)
    _check(graph, ranges, keep_float, where)
    settled, large = settle(graph, ranges), large_layers(graph)

    def recipe(manager: Any) -> None:
        manager.add_static_config(".*", _every(), activation_num_bits=8, weight_num_bits=8)
        if io == "uint8":
            _ends_in_uint8(manager)
        _leave(manager, graph, keep_float | large)

    content = _run(content, recipe, _statistics(settled), where)
    content = absorb(content, settled, keep_float, large, where=where)
    return enlarge_by_copies(content, where=where)


def to_fp16(content: bytes, *, where: str = "the network") -> bytes:
    """Store the weights as float16; the network computes in float32.

    Args:
        content: float TFLite file.
        where: the network's name, for messages.

    Returns:
        TFLite file of about half the size; equal input gives equal bytes.

    Raises:
        UnavailableError, DataError: as ``quantise``.
    """

    def recipe(manager: Any) -> None:
        from ai_edge_quantizer import quantizer

        casting = quantizer.AlgorithmName.FLOAT_CASTING
        manager.add_weight_only_config(".*", _every(), num_bits=16, algorithm_key=casting)

    return _run(canonical(content, where=where), recipe, None, where)


def to_dynamic(content: bytes, *, where: str = "the network") -> bytes:
    """Store the weights as int8 a channel; activations are float32 and quantised while it runs.

    Saves size, not time.

    Args:
        content: float TFLite file.
        where: the network's name, for messages.

    Returns:
        TFLite file of about a quarter of the size; equal input gives equal bytes.

    Raises:
        UnavailableError, DataError: as ``quantise``.
    """

    def recipe(manager: Any) -> None:
        manager.add_dynamic_config(".*", _every(), num_bits=8)
        _leave(manager, graph, large)

    content = canonical(content, where=where)
    graph = read_graph(content, where=where)
    large = large_layers(graph)
    return to_hybrid(_run(content, recipe, None, where), large, where=where)


def _run(
    content: bytes,
    recipe: Callable[[Any], None],
    statistics: dict[str, dict[str, Any]] | None,
    where: str,
) -> bytes:
    """Run ai-edge-quantizer with the recipe that the function writes."""
    try:
        with quiet():
            from ai_edge_quantizer import quantizer, recipe_manager
    except ImportError as error:
        raise UnavailableError(
            f"quantising needs {error.name}",
            hint="pip install unveil-edge[export]",
            code="export.quantizer",
        ) from error
    manager = recipe_manager.RecipeManager()
    with quiet():
        recipe(manager)
        machine = quantizer.Quantizer(content)
        machine.load_quantization_recipe(manager.get_quantization_recipe())
        try:
            made = machine.quantize(statistics, enable_progress_report=False).quantized_model
        except (ValueError, RuntimeError, IndexError, KeyError, TypeError) as error:
            raise DataError(
                f"{where}: cannot be quantised: {error}", code="export.quantise"
            ) from error
    return bytes(made)


def _check(graph: Graph, ranges: Ranges, keep_float: frozenset[str], where: str) -> None:
    made = [graph.tensors[index] for node in graph.nodes for index in node.outputs]
    put_in = [graph.tensors[index] for _, index in graph.inputs]
    lacking = [t.name for t in put_in + made if t.dtype == "float32" and t.name not in ranges]
    if lacking:
        raise DataError(
            f"{where}: no range for tensor {lacking[0]} and {len(lacking) - 1} more",
            hint="calibrate this very file",
            code="export.ranges",
        )
    unknown = sorted(keep_float - {tensor.name for tensor in made})
    if unknown:
        raise UsageError(f"{where}: no operator makes {unknown[0]!r}", code="export.keep_float")


def _statistics(settled: Settled) -> dict[str, dict[str, Any]]:
    """Write ranges for the quantiser.

    Without a rank of their own, so that they fit a constant of any rank that has to share them.
    """
    table = {
        name: {"min": np.array(least, np.float32), "max": np.array(greatest, np.float32)}
        for name, (least, greatest) in settled.spans.items()
    }
    return table | {name: {"min": -b, "max": b} for name, b in settled.weights.items()}


def _ends_in_uint8(manager: Any) -> None:
    from ai_edge_quantizer import qtyping

    config = qtyping.OpQuantizationConfig(
        activation_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=8, symmetric=False, dtype=qtyping.TensorDataType.UINT
        ),
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=8, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
        ),
        compute_precision=qtyping.ComputePrecision.INTEGER,
        explicit_dequantize=False,
    )
    for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
        manager.add_quantization_config(".*", end, config)


def _leave(manager: Any, graph: Graph, keep_float: frozenset[str]) -> None:
    """Leave out the operators that make the named tensors.

    The recipe finds an operator by its kind and a pattern over the names of its results, each
    followed by a semicolon. The kind keeps it apart from the graph's end, which has the name too.
    """
    from ai_edge_quantizer import qtyping, quantizer

    for node in graph.nodes:
        names = [graph.tensors[index].name for index in node.outputs]
        kind = "CONV_2D_TRANSPOSE" if node.op == "TRANSPOSE_CONV" else node.op
        if keep_float.intersection(names) and kind in qtyping.TFLOperationName.__members__:
            pattern = re.escape("".join(f"{name};" for name in names)[:10_000])
            manager.add_quantization_config(
                f"^{pattern}$",
                qtyping.TFLOperationName[kind],
                algorithm_key=quantizer.AlgorithmName.NO_QUANTIZE,
            )


def _every() -> Any:
    from ai_edge_quantizer import qtyping

    return qtyping.TFLOperationName.ALL_SUPPORTED
