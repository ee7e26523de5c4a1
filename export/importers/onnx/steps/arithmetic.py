"""Sums, products and other functions of numbers, element by element."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS"]

_Function = Callable[..., Tensor]


def aligned(view: NodeView, function: _Function) -> Step:
    """Call a function with all inputs at one rank.

    Broadcasting goes by the last axes, and a picture's last axis is another one once it lies
    channels last: what has fewer axes gets them written out.
    """
    rank = max(view.rank(position) for position in range(len(view.node.inputs)))
    operands: list[str | Tensor] = []
    shapes: list[tuple[int, ...] | None] = []
    for position, name in enumerate(view.node.inputs):
        shape, known = view.shape(position), view.known(position)
        spread = _spread(view, position)
        if spread is not None:
            name, shape = spread.name(0), spread.shape()
        full = (1,) * (rank - len(shape)) + shape
        operands.append(name if known is None or full == shape else known.reshape(full))
        shapes.append(full if known is None and full != shape else None)
    if not any(shapes):
        return Step(function, tuple(operands))

    def call(*tensors: Tensor) -> Tensor:
        return function(
            *(x if s is None else x.reshape(s) for x, s in zip(tensors, shapes, strict=True))
        )

    return Step(call, tuple(operands))


def _spread(view: NodeView, position: int) -> NodeView | None:
    """Return the Expand that makes an input, where broadcasting does what it does."""
    made = view.maker("Expand", position) if view.known(position) is None else None
    others = [view.shape(p) for p in range(len(view.node.inputs)) if p != position]
    whole = view.shape(position) in others
    # Of two that are expanded, one has to stay.
    return made if whole and not any(view.maker("Expand", p) for p in range(position)) else None


def _binary(function: _Function) -> Builder:
    return lambda view: aligned(view, function)


def _chain(function: _Function) -> Builder:
    """Return the meaning of an operator that takes any number of inputs."""
    return lambda view: aligned(view, lambda *tensors: reduce(function, tensors))


def _mean(view: NodeView) -> Step:
    share = 1.0 / len(view.node.inputs)
    return aligned(view, lambda *tensors: reduce(torch.add, tensors) * share)


def _unary(function: _Function) -> Builder:
    return lambda view: view.step(function)


def _divide(view: NodeView) -> Step:
    divisor = view.known(1)
    if divisor is not None and view.known(0) is None and divisor.is_floating_point():
        # A product is folded into what stands before it, and is there in INT8.
        inverse = (1.0 / divisor.double()).float()
        full = (1,) * (view.rank() - inverse.dim()) + tuple(inverse.shape)
        return view.step(torch.mul, view.name(0), inverse.reshape(full))
    return aligned(view, _quotient)


def _quotient(x: Tensor, y: Tensor) -> Tensor:
    """Divide; whole numbers are cut towards zero, as in C."""
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def _power(view: NodeView) -> Step:
    exponent = view.known(1)
    if exponent is not None and exponent.numel() == 1 and view.rank() >= exponent.dim():
        simple = _POWERS.get(float(exponent))
        if simple is not None and view.known(0) is None:
            return view.step(simple, view.name(0))
    return aligned(view, lambda x, y: torch.pow(x, y).to(x.dtype))


_POWERS: dict[float, _Function] = {
    -1.0: torch.reciprocal,
    0.5: torch.sqrt,
    1.0: lambda x: x,
    2.0: lambda x: x * x,
    3.0: lambda x: x * x * x,
}


def _modulo(view: NodeView) -> Step:
    # As in C with fmod, else the sign is the divisor's.
    return aligned(view, torch.fmod if view.integer("fmod", 0) else torch.remainder)


def _cast(view: NodeView) -> Step:
    kinds = _cast_kinds()
    wanted = view.integer("to", 0)
    if wanted not in kinds:
        raise view.refusal(f"casts to data type {wanted}")
    if view.known(0) is None and kinds[wanted] == torch.int64:
        raise view.refusal("casts what is not constant to whole numbers")
    return view.step(lambda x: x.to(kinds[wanted]))


def _cast_kinds() -> dict[int, torch.dtype]:
    """Return the one type that stands for each TensorProto.DataType."""
    kinds = dict.fromkeys((1, 10, 11, 16), torch.float32)
    return kinds | dict.fromkeys((2, 3, 4, 5, 6, 7, 12, 13), torch.int64) | {9: torch.bool}


BUILDERS: dict[str, Builder] = {
    "Add": _binary(torch.add),
    "Sub": _binary(torch.sub),
    "Mul": _binary(torch.mul),
    "Div": _divide,
    "Pow": _power,
    "Mod": _modulo,
    "Cast": _cast,
    "Min": _chain(torch.minimum),
    "Max": _chain(torch.maximum),
    "Sum": _chain(torch.add),
    "Mean": _mean,
    "Neg": _unary(torch.neg),
    "Abs": _unary(torch.abs),
    "Exp": _unary(torch.exp),
    "Log": _unary(torch.log),
    "Sin": _unary(torch.sin),
    "Cos": _unary(torch.cos),
    "Sqrt": _unary(torch.sqrt),
    "Reciprocal": _unary(torch.reciprocal),
    "Ceil": _unary(torch.ceil),
    "Floor": _unary(torch.floor),
    "Round": _unary(torch.round),
    "Sign": _unary(torch.sign),
    "Not": _unary(torch.logical_not),
    "IsNaN": _unary(lambda x: x != x),
    "And": _binary(torch.logical_and),
    "Or": _binary(torch.logical_or),
    "Xor": _binary(torch.ne),
    "Equal": _binary(torch.eq),
    "Greater": _binary(torch.gt),
    "GreaterOrEqual": _binary(torch.ge),
    "Less": _binary(torch.lt),
    "LessOrEqual": _binary(torch.le),
    "Where": _binary(torch.where),
}
