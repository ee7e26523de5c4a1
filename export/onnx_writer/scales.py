"""From ranges to TensorRT's scales."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edge.errors import DataError

__all__ = ["check_ranges", "symmetric_scale"]

#: TensorRT's scheme: zero is stored as 0, and the greatest magnitude as 127.
_GREATEST = 127.0
#: Of a tensor that is zero for all samples; any scale above zero does.
_LEAST_SCALE = 1e-12


def symmetric_scale(span: tuple[float, float]) -> float:
    """Return ``max(|least|, |greatest|) / 127``."""
    return max(abs(span[0]), abs(span[1]), _LEAST_SCALE * _GREATEST) / _GREATEST


def check_ranges(
    ranges: Mapping[str, tuple[float, float]], names: Iterable[str], *, where: str
) -> None:
    """Refuse ranges that lack a tensor.

    Raises:
        DataError: they do; the tensors are named.
    """
    missing = [name for name in names if name not in ranges]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise DataError(
            f"{where}: no range for tensor {', '.join(missing[:3])}{more}",
            hint="calibrate this very file",
            code="export.ranges",
        )
