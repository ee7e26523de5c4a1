"""Lower a PyTorch network to a float TFLite file, channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.anatomy.graph import read_graph
from benchmarks.anatomy.quiet import quiet
from edge.errors import ConfigError, UnavailableError
from export.program.affine import fold_affine
from export.program.fold_enlarge import fold_enlarge

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SIGNATURE", "lower_module"]

#: The one signature that litert-torch writes; tensors are ``args_i`` and ``output_i``.
SIGNATURE = "serving_default"
#: Pads with a number of its own, such as the minus infinity of a max-pool's border.
_FILLED = "PADV2"


def lower_module(network: nn.Module, shapes: Sequence[tuple[int, ...]], *, where: str) -> bytes:
    """Convert a PyTorch network to float TFLite.

    Two conversions of one network give the same bytes.

    Args:
        network: in ``eval`` mode; takes float32 tensors, pictures NHWC.
        shapes: of its inputs, in the order of its arguments.
        where: its file, for messages.

    Returns:
        The TFLite file, with the signature ``SIGNATURE``.

    Raises:
        UnavailableError: litert-torch is not installed.
        ConfigError: the network does not take such inputs, or cannot be converted.
    """
    try:
        with quiet():
            import litert_torch
            import torch

            from export.program.pooled import repeat_edges
            from export.program.transposed import cut_transposed
    except ImportError as error:
        raise UnavailableError(
            f"lowering needs {error.name}",
            hint="pip install unveil-edge[export]",
            code="export.torch",
        ) from error
    samples = tuple(torch.zeros(shape) for shape in shapes)
    with quiet():
        try:
            legal = cut_transposed(network, samples)
            # Not into a file: where a disk is full the converter ends the process.
            content = litert_torch.convert(legal, samples).model_content()
            if any(node.op == _FILLED for node in read_graph(content, where=where).nodes):
                finite = repeat_edges(legal, samples)
                if finite is not legal:
                    content = litert_torch.convert(finite, samples).model_content()
        except Exception as error:
            # The converter raises whatever torch.export and its own passes raise.
            raise ConfigError(
                f"{where}: cannot be lowered: {type(error).__name__}: {_first_line(error)}",
                code="export.lower",
            ) from error
    return fold_enlarge(fold_affine(content, where=where), where=where)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else ""
