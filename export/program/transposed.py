"""Rewrite transposed convolutions that TFLite does not have.

TFLite's pads by SAME or not at all. PyTorch's other pads, and its ``output_padding``, only say
which part of the unpadded result is wanted, so that part is cut out of it: the same numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node

from export.importers.aten import ExportedNetwork

__all__ = ["cut_transposed"]


def cut_transposed(network: nn.Module, samples: tuple[torch.Tensor, ...]) -> nn.Module:
    """Return a network that TFLite can hold, where only transposed convolutions stood in the way.

    Args:
        network: in ``eval`` mode.
        samples: its inputs, of the sizes it is to be lowered for.

    Returns:
        The network itself if it has no transposed convolution, or only such as TFLite has.
    """
    if not any(_transposes(layer) for layer in network.modules()):
        return network
    program = torch.export.export(network, samples).module()
    found = [node for node in program.graph.nodes if _illegal(node)]
    for node in found:
        _cut(program, node)
    if not found:
        return network
    program.recompile()
    return program


def _transposes(layer: nn.Module) -> bool:
    if isinstance(layer, ExportedNetwork):
        return layer.names("conv_transpose2d")
    nodes = layer.graph.nodes if isinstance(layer, GraphModule) else ()
    return isinstance(layer, nn.ConvTranspose2d) or any(map(_is_transposed, nodes))


def _is_transposed(node: Node) -> bool:
    return node.target is torch.ops.aten.conv_transpose2d.input


def _illegal(node: Node) -> bool:
    """Tell whether TFLite lacks this one and it can be cut out of the unpadded result."""
    if not _is_transposed(node):
        return False
    kernel = node.args[1].meta["val"].shape[2:]
    stride, padding, extra = (_pair(node, i, d) for i, d in ((3, 1), (4, 0), (5, 0)))
    sizes = tuple(zip(kernel, stride, padding, strict=True))
    same = all(k - s == 2 * p for k, s, p in sizes)
    legal = same or not any(padding) or stride == (1, 1)
    within = all(e <= p for e, p in zip(extra, padding, strict=True))
    return (not legal or any(extra)) and within


def _cut(program: GraphModule, node: Node) -> None:
    aten, size, padding = torch.ops.aten, node.meta["val"].shape, _pair(node, 4, 0)
    groups, dilation = (node.args[6] if len(node.args) > 6 else 1), _pair(node, 7, 1)
    bias = node.args[2] if len(node.args) > 2 else None
    with program.graph.inserting_before(node):
        wanted = program.graph.call_function(
            aten.conv_transpose2d.input,
            (*node.args[:2], bias, list(_pair(node, 3, 1)), [0, 0], [0, 0], groups, list(dilation)),
        )
        for axis, before in zip((2, 3), padding, strict=True):
            wanted = program.graph.call_function(
                aten.slice.Tensor, (wanted, axis, before, before + size[axis])
            )
    node.replace_all_uses_with(wanted)
    program.graph.erase_node(node)


def _pair(node: Node, position: int, default: int) -> tuple[int, ...]:
    """Return one of the operator's arguments for both sides; it may be left out, or be one."""
    value: Any = node.args[position] if len(node.args) > position else default
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * 2 if len(values) == 1 else values
