"""Half precision: 5 bits of exponent, so the greatest number is 65504 and the least 2**-24."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError
from export.onnx_writer.infer import Unwritable

__all__ = ["check_half", "to_half"]

_GREATEST = float(np.finfo(np.float16).max)
_LEAST = float(np.finfo(np.float16).smallest_subnormal)


def to_half(values: NDArray[np.float32], name: str) -> NDArray[np.float16]:
    """Round a constant to float16.

    A lone number that would vanish becomes the least number of its sign instead: such constants
    are there to keep a divisor or a logarithm's argument from being zero. A pad of the least
    float32, which means "smaller than all", becomes the least float16.

    Args:
        values: float32.
        name: of the tensor, for the message.

    Raises:
        Unwritable: a value is beyond float16's range.
    """
    if values.size == 1 and float(values.reshape(-1)[0]) <= float(np.finfo(np.float32).min):
        return np.full(values.shape, -_GREATEST, np.float16)
    if values.size and float(np.abs(values).max()) > _GREATEST:
        raise Unwritable(f"constant {name} holds {float(np.abs(values).max()):g}, beyond float16")
    half = values.astype(np.float16)
    if values.size == 1 and values.any() and not half.any():
        return np.full(values.shape, np.sign(values.reshape(-1)[0]) * _LEAST, np.float16)
    return half


def check_half(ranges: Mapping[str, tuple[float, float]] | None, *, where: str) -> None:
    """Refuse a network whose activations leave float16's range on the calibration's inputs.

    Raises:
        ConfigError: they do; every such tensor is named with its range.
    """
    over = [
        f"{name} ({least:g} to {greatest:g})"
        for name, (least, greatest) in (ranges or {}).items()
        if max(abs(least), abs(greatest)) > _GREATEST
    ]
    if over:
        more = f" and {len(over) - 3} more" if len(over) > 3 else ""
        raise ConfigError(
            f"{where}: float16 ends at {_GREATEST:g}, beyond which lie {', '.join(over[:3])}{more}",
            hint="scale the network's activations, or write it in fp32",
            code="onnx.half",
        )
