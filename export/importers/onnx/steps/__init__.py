"""What each operator of the table means in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

from export.importers.onnx.steps import (
    activation,
    arithmetic,
    convolution,
    fixed,
    linear,
    normalise,
    pad,
    pool,
    reduce,
    resize,
    select,
    shape,
)
from export.importers.onnx.view import Builder

__all__ = ["BUILDERS"]

_MODULES = (
    activation, arithmetic, convolution, fixed, linear, normalise, pad, pool, reduce, resize,
    select, shape,
)  # fmt: skip
BUILDERS: Mapping[str, Builder] = {
    op: builder for module in _MODULES for op, builder in module.BUILDERS.items()
}
