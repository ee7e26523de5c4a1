"""Whether a network of one fixed size means the same at another one."""

from __future__ import annotations

from export.importers.onnx.plan import Plan
from export.importers.onnx.view import NodeView

__all__ = ["check_resized"]

_WINDOWED = ("Conv", "AveragePool", "MaxPool")


def check_resized(own: Plan, other: Plan) -> None:
    """Refuse a node that was made for the file's own size.

    Most such nodes do not take another size at all and have been refused. Left are those that
    would quietly do something else: a window as large as its whole input, a resize to a size that
    is written in the file, a slice to the old end, a reshape that moves pixels into the batch.

    Args:
        own: the plan at the file's size.
        other: the plan at the size asked for.

    Raises:
        ConfigError: naming the node.
    """
    for before, after in zip(own.views, other.views, strict=True):
        if not after.inputs or before.shapes == after.shapes:
            continue
        what = _made_for_its_size(before, after)
        if what:
            raise after.refusal(
                f"{what}, which is made for the file's own size",
                hint="leave --imgsz out, or export the network at the size wanted",
            )


def _made_for_its_size(before: NodeView, after: NodeView) -> str:
    op, old, new = before.node.op, before.shape(), after.shape()
    if op in _WINDOWED and old[2:] != new[2:]:
        kernel = before.shape(1)[2:] if op == "Conv" else before.integers("kernel_shape")
        if kernel == old[2:] and max(kernel) > 1:
            return f"has a window over all of {list(old[2:])}"
    if op == "Resize" and before.whole(3) and before.whole(3) == after.whole(3):
        return f"resizes to {list(before.whole(3) or ())}"
    if op == "Slice" and _ends_at_the_old_end(before, after):
        return f"ends where {list(old)} ends"
    if op == "Reshape" and before.result[:1] != after.result[:1]:
        return f"makes {list(after.result)}"
    return ""


def _ends_at_the_old_end(before: NodeView, after: NodeView) -> bool:
    ends = before.whole(2) if before.has(2) else before.integers("ends")
    axes = before.whole(3) if before.has(3) else before.integers("axes")
    ends = ends or ()
    if ends != (after.whole(2) if after.has(2) else after.integers("ends")):
        return False
    places = before.axes_of(axes or tuple(range(len(ends))))
    return any(
        end == before.shape()[axis] != after.shape()[axis]
        for end, axis in zip(ends, places, strict=True)
    )
