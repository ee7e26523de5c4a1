"""Rewrite borders of max-pools, which PyTorch fills with minus infinity.

No range holds that number: INT8 has no scale for it, and a look at every layer takes it for damage.
A window that reaches over an edge holds the edge too, so that to repeat the edge gives the same
maximum; and where nothing is below zero, zero does.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node

__all__ = ["repeat_edges"]

_aten = torch.ops.aten
_POOLS = (_aten.max_pool2d.default, _aten.max_pool2d_with_indices.default)
_NEVER_NEGATIVE = (
    _aten.relu.default, _aten.relu_.default, _aten.relu6.default, _aten.relu6_.default,
    _aten.sigmoid.default,
)  # fmt: skip


def repeat_edges(network: nn.Module, samples: tuple[torch.Tensor, ...]) -> nn.Module:
    """Return a network whose max-pools have no border of minus infinity.

    Args:
        network: in ``eval`` mode.
        samples: its inputs, of the sizes it is to be lowered for.

    Returns:
        The network itself if it has no such pool.
    """
    program = torch.export.export(network, samples).module()
    found = [node for node in program.graph.nodes if node.target in _POOLS and any(_border(node))]
    for node in found:
        _rewrite(program, node)
    if not found:
        return network
    program.graph.eliminate_dead_code()
    program.recompile()
    return program


def _border(node: Node) -> tuple[int, ...]:
    """Return how far windows reach over the edges: left, right, top, bottom.

    All zero where it is not known how to put a border there.
    """
    sizes = node.args[0].meta["val"].shape
    value = node.meta["val"]
    result = value if isinstance(value, torch.Tensor) else value[0]
    takes_indices = not isinstance(value, torch.Tensor) and any(
        user.users and (user.target is not operator.getitem or user.args[1] != 0)
        for user in node.users
    )
    if len(sizes) != 4 or takes_indices or _pair(node, 4, 1) != (1, 1):
        return (0, 0, 0, 0)
    border: list[int] = []
    for axis in (1, 0):
        kernel, stride, before = (
            _pair(node, 1, 1)[axis],
            _strides(node)[axis],
            _pair(node, 3, 0)[axis],
        )
        reached = (int(result.shape[2 + axis]) - 1) * stride + kernel
        border += [before, max(0, reached - before - int(sizes[2 + axis]))]
    return tuple(border)


def _rewrite(program: GraphModule, node: Node) -> None:
    border, x = _border(node), node.args[0]
    with program.graph.inserting_before(node):
        if x.target in _NEVER_NEGATIVE:
            x = program.graph.call_function(_aten.constant_pad_nd.default, (x, list(border), 0.0))
        else:
            # TFLite's mirror repeats the edge where the border is one wide: ring by ring.
            for ring in range(max(border)):
                sides = [int(n > ring) for n in border]
                x = program.graph.call_function(_aten.replication_pad2d.default, (x, sides))
        pooled = program.graph.call_function(
            _aten.max_pool2d.default, (x, list(_pair(node, 1, 1)), list(_strides(node)))
        )
    if node.target is _POOLS[0]:
        node.replace_all_uses_with(pooled)
        program.graph.erase_node(node)
        return
    for user in list(node.users):
        if user.users:
            user.replace_all_uses_with(pooled)


def _strides(node: Node) -> tuple[int, ...]:
    given = node.args[2] if len(node.args) > 2 else ()
    return _pair(node, 2, 1) if given else _pair(node, 1, 1)


def _pair(node: Node, position: int, default: int) -> tuple[int, ...]:
    """Return one of the operator's arguments for both sides; it may be left out, or be one."""
    value: Any = node.args[position] if len(node.args) > position else default
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * 2 if len(values) == 1 else values
