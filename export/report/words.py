"""How figures and names are written in every report."""

from __future__ import annotations

import math
from collections import Counter

from export.cards.names import clean
from export.inspection.artefact import Inspection
from export.inspection.layers import Layer

__all__ = ["HEAD", "columns", "counted", "facts", "number", "size"]

#: Titles of the columns of the layers' table and what each means.
HEAD = (
    ("#", "place in the order of execution"),
    ("operator", "in the format's own words"),
    ("layer", "its output tensor"),
    ("precision", "what it computes in; * a float island in an integer file"),
    ("dB", "power of float's output against that of the difference; ~ it is only rounding"),
    ("cosine", "of its output and float's"),
    ("max abs", "largest difference of any value"),
    ("MMAC", "millions of multiply-accumulates"),
    ("weights", "bytes of its constants"),
    ("output", "bytes that it makes"),
    ("alive", "bytes of all activations needed at this moment: an estimate"),
    ("piece", "of the delegate; 'out' where the runtime's own kernel computes it"),
    ("ms", "estimate, one thread: what the network cut here takes longer than cut before"),
    ("interval", "95 % of the estimate"),
    ("kernel", "of the TensorRT engine, by its place, and what it computes in"),
)


def columns(layer: Layer) -> tuple[str, ...]:
    """Return a layer's cells, in the order of ``HEAD``; what is not known is empty."""
    near, cost, time = layer.near, layer.cost, layer.time
    return (
        str(layer.index),
        clean(layer.op),
        clean(layer.name),
        layer.precision + ("*" if layer.island else ""),
        number(near.sqnr_db, 1) + "~" * layer.only_rounds if near else "",
        number(near.cosine, 4) if near else "",
        f"{near.max_abs:.2g}" if near and math.isfinite(near.max_abs) else "",
        number(cost.macs / 1e6, 2) if cost and cost.macs else "",
        size(cost.weight_bytes) if cost and cost.weight_bytes else "",
        size(cost.activation_bytes) if cost else "",
        size(cost.live_bytes) if cost else "",
        _piece(layer),
        number(time.ms, 4) if time else "",
        f"{time.low_ms:.4f} to {time.high_ms:.4f}" if time else "",
        f"{layer.built.index} {layer.built.precision}".strip() if layer.built else "",
    )


def facts(found: Inspection) -> list[tuple[str, str]]:
    """Return what is to be said of the whole, as (what, how much)."""
    computing = found.audit.counts
    rows = [
        ("file", size(found.size)),
        ("computing operators", ", ".join(f"{n} {kind}" for kind, n in computing.items())),
        ("input, output", f"{_kinds(found.audit.inputs)}, {_kinds(found.audit.outputs)}"),
        ("parameters", f"{found.totals['parameters'] / 1e6:.3f} M"),
        ("multiply-accumulates", f"{found.totals['macs'] / 1e6:.1f} M"),
    ]
    if found.means:
        rows.append(("INT8 by", clean(", ".join(found.means))))
    if found.total_ms is not None:
        rows.append(("one run, one thread", f"{found.total_ms:.3f} ms"))
    if found.arena_bytes is not None:
        rows.append(("activations alive, estimate", size(found.arena_bytes)))
    if found.delegation is not None:
        rows.append(("delegate pieces", str(found.delegation.pieces)))
        outside = Counter(node.op for node in found.delegation.outside)
        rows.append(("left outside", _counted(outside)))
    if found.audit.islands:
        rows.append(("float islands", str(found.audit.islands)))
    if found.audit.format == "onnx":
        since = f"from {found.tensorrt} on" if found.tensorrt else "no release"
        rows.append(("read by TensorRT", since))
    rows.append(("left over", _counted(Counter(o.op for o in found.audit.leftovers))))
    rows.append(("compared with float on", counted(found.samples, "input")))
    return rows


def number(value: float, digits: int) -> str:
    """Return a number with fixed digits; none for what is no number."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "no number"


def counted(count: int, what: str) -> str:
    """Return a number with its word, in the plural where there is not one."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def size(count: int) -> str:
    """Return bytes in the unit that suits them."""
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.1f} KiB" if count < 1024**2 else f"{count / 1024**2:.2f} MiB"


def _piece(layer: Layer) -> str:
    if layer.delegated is None:
        return ""
    return "out" if layer.piece is None else str(layer.piece)


def _kinds(dtypes: tuple[str, ...]) -> str:
    return " and ".join(sorted(set(dtypes))) or "none"


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{n} {clean(name)}" for name, n in sorted(names.items())) or "none"
