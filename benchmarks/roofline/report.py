"""All that ``edge-bench roofline`` found, and how it stands on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.fingerprint import Conditions, Fingerprint
from benchmarks.page.text import clean, number_text
from benchmarks.roofline.ceilings import Ceilings
from benchmarks.roofline.layers import Layer, by_kind
from benchmarks.roofline.measure import Network

__all__ = ["Report", "percent", "table", "terminal"]

#: Layers that are named of each network: those that lose most time against their roofs.
_NAMED = 5
#: Letters of a kind: a stranger's operator may have any name.
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, on what.

    Attributes:
        date: ISO.
        invalid: why it does not count; empty if it does.
        ceilings: of the machine.
        networks: of the bundle, in its order.
        left_out: tasks whose networks no TFLite runs.
        fingerprint, before, after: of the machine.
    """

    date: str
    invalid: tuple[str, ...]
    ceilings: Ceilings
    networks: tuple[Network, ...]
    left_out: tuple[str, ...]
    fingerprint: Fingerprint
    before: Conditions
    after: Conditions

    def to_json(self) -> dict[str, object]:
        """Return plain numbers and names."""
        return {
            "kind": "roofline",
            "date": self.date,
            "valid": not self.invalid,
            "invalid": list(self.invalid),
            "threads": self.ceilings.threads,
            "ceilings": self.ceilings.to_json(),
            "networks": [network.to_json() for network in self.networks],
            "left_out": list(self.left_out),
            "fingerprint": self.fingerprint.to_json(),
            "before": self.before.to_json(),
            "after": self.after.to_json(),
        }


def terminal(report: Report) -> str:
    """Return the report as lines of text."""
    return "\n".join([*_ceilings(report.ceilings), "", *_networks(report), *_faults(report)])


def percent(share: float | None) -> str:
    """Return a share as per cent, or a dash.

    >>> percent(0.634), percent(None)
    ('63 %', '–')
    """
    return "–" if share is None else f"{share:.0%}".replace("%", " %")


def table(rows: Sequence[Sequence[str]], *, words: int = 1) -> list[str]:
    """Align columns; the first so many hold words, the others numbers."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _ceilings(ceilings: Ceilings) -> Iterator[str]:
    plural = "s" if ceilings.threads > 1 else ""
    yield f"attainable in LiteRT, {ceilings.threads} thread{plural}:"
    for name, peak in ceilings.peaks.items():
        ends = [peak.shape.macs / ms / 1e6 for ms in (peak.span.high_ms, peak.span.low_ms)]
        yield (
            f"  {name:<18}{peak.macs_per_s / 1e9:6.1f} GMAC/s "
            f"({ends[0]:.1f} to {ends[1]:.1f}), convolution {peak.shape}"
        )
    for memory in ceilings.memories:
        yield (
            f"  {'memory':<18}{memory.best / 1e9:6.1f} GB/s, {memory.threads} at once "
            f"(copy {memory.copy / 1e9:.1f}, triad {memory.triad / 1e9:.1f}; "
            f"arrays of {memory.array_bytes / 2**20:.0f} MiB)"
        )
    if ceilings.cache is not None:
        size = ceilings.cache_bytes // 1024
        yield f"  {'cache':<18}{ceilings.cache.best / 1e9:6.1f} GB/s, level 2 of {size} KiB"


def _networks(report: Report) -> Iterator[str]:
    head = ("network", "MMAC", "MB moved", "ms", "95 %", "GMAC/s", "of attainable", "of roof")
    rows = [head]
    for network in report.networks:
        span = network.time
        rows.append(
            (
                network.task,
                f"{network.macs / 1e6:.1f}",
                f"{network.moved_bytes / 1e6:.2f}",
                f"{span.ms:.3f}",
                f"{span.low_ms:.3f} to {span.high_ms:.3f}",
                f"{network.macs / span.ms / 1e6:.1f}",
                percent(network.share_of_attainable),
                percent(network.share_of_roof),
            )
        )
    yield from table(rows)
    for network in report.networks:
        yield ""
        yield from _one(network)


def _one(network: Network) -> Iterator[str]:
    total = sum(layer.time.ms for layer in network.layers)
    yield (
        f"{network.task} ({clean(network.file)}): layers add up to {total:.3f} ms of "
        f"{network.time.ms:.3f}"
    )
    rows = [("kind", "layers", "MMAC", "ms", "of time", "of attainable", "of roof")]
    for kind in by_kind(network.layers):
        rows.append(
            (
                f"  {clean(kind.kind, most=_LONGEST)}",
                f"{kind.layers}",
                f"{kind.macs / 1e6:.2f}",
                f"{kind.ms:.3f}",
                percent(kind.ms / total if total > 0 else None),
                percent(kind.share_of_attainable),
                percent(kind.share_of_roof),
            )
        )
    yield from table(rows)
    named = sorted(network.layers, key=lambda layer: -layer.left_ms)[:_NAMED]
    head = ("most left", "shapes", "bound by", "ms", "roof ms", "MAC/byte", "reached")
    yield from table([head, *(_left(layer) for layer in named)], words=3)


def _left(layer: Layer) -> tuple[str, ...]:
    return (
        f"  {layer.index} {clean(layer.kind, most=_LONGEST)}",
        layer.shapes,
        layer.bound if layer.delegated else f"{layer.bound}, left the delegate",
        f"{layer.time.ms:.4f}",
        f"{layer.roof_ms:.4f}",
        number_text(layer.intensity, digits=3),
        percent(layer.share),
    )


def _faults(report: Report) -> Iterator[str]:
    for task in report.left_out:
        yield f"\n{task}: its artefact is no TFLite file and was left out"
    if report.invalid:
        yield "\nINVALID:"
        yield from (f"  {reason}" for reason in report.invalid)
