"""How a convolution's or a pool's window moves over its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.importers.onnx.steps.layout import Pads
from export.importers.onnx.view import NodeView

__all__ = ["Window", "read_window", "same_pads"]

#: Of each number of a window.
_LARGEST = 4096


@dataclass(frozen=True, slots=True)
class Window:
    """A window, one number a spatial axis.

    Attributes:
        kernel, strides, dilations: each 1 at least.
        pads: elements before and after.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: Pads

    @property
    def even(self) -> bool:
        """Whether each axis has as much border before as after."""
        return all(before == after for before, after in self.pads)

    @property
    def before(self) -> tuple[int, ...]:
        """The border before."""
        return tuple(before for before, _ in self.pads)

    @property
    def spans(self) -> tuple[int, ...]:
        """How far the dilated window reaches."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))


def read_window(
    view: NodeView, sizes: Sequence[int], kernel: Sequence[int], *, pads: Pads | None = None
) -> Window:
    """Read a node's window; ``auto_pad`` becomes numbers.

    Args:
        view: of the node.
        sizes: of the input's spatial axes.
        kernel: of the weight; a pool has it as an attribute.
        pads: instead of those that the node names.

    Raises:
        ConfigError: a number is missing, too many, or cannot be.
    """
    count = len(sizes)
    strides = view.integers("strides") or (1,) * count
    dilations = view.integers("dilations") or (1,) * count
    for what, numbers in (("kernel", kernel), ("strides", strides), ("dilations", dilations)):
        if len(numbers) != count or min(numbers) < 1 or max(numbers) > _LARGEST:
            raise view.refusal(f"has {what} {list(numbers)} for {count} spatial axes")
    window = Window(tuple(kernel), strides, dilations, ((0, 0),) * count)
    mode = view.text("auto_pad", "NOTSET")
    if pads is None:
        pads = window.pads
        if mode == "NOTSET":
            pads = _explicit(view, count)
        elif mode in ("SAME_UPPER", "SAME_LOWER"):
            pads = tuple(
                same_pads(size, span, stride, upper=mode == "SAME_UPPER")
                for size, span, stride in zip(sizes, window.spans, strides, strict=True)
            )
        elif mode != "VALID":
            raise view.refusal(f"has auto_pad {mode!r}")
    return Window(window.kernel, strides, dilations, pads)


def _explicit(view: NodeView, count: int) -> Pads:
    numbers = view.integers("pads") or (0,) * (2 * count)
    if len(numbers) != 2 * count or min(numbers) < 0 or max(numbers) > _LARGEST:
        raise view.refusal(f"has pads {list(numbers)} for {count} spatial axes")
    return tuple(zip(numbers[:count], numbers[count:], strict=True))


def same_pads(size: int, span: int, stride: int, *, upper: bool = True) -> tuple[int, int]:
    """Return the pads with which a window makes one result a stride; TFLite's SAME is upper."""
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    less = total // 2
    return (less, total - less) if upper else (total - less, less)
