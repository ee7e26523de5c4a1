"""The roofline as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.page.html import badge, document, fact_cards, figure, legend, note, safe, table
from benchmarks.page.text import number_text
from benchmarks.roofline.ceilings import Ceilings
from benchmarks.roofline.layers import Layer, by_kind
from benchmarks.roofline.measure import Network
from benchmarks.roofline.plot import Mark, keys, roofline_plot
from benchmarks.roofline.report import Report, percent

__all__ = ["page"]

_TAIL = 30
_METHOD = (
    "Attainable is the best of some large convolutions, run in the same runtime in turns with the "
    "networks: one run to warm up and two that count a visit, forth and back; figures are lower "
    "quartiles, intervals 95 %. One thread is timed by its own processor time, several by the "
    "wall's clock.",
    "A layer's time is what a copy of the network that ends with it takes longer than the one "
    "before; what the delegate computes together counts for the layer that completes it, so a "
    "layer may come out at less than nothing, and together they are the whole.",
    "Bytes are those of every input, weight and output once. A roof is the larger of the time for "
    "the arithmetic at the rate of its own kind (dense or depthwise, INT8 or float) and the time "
    "to move the bytes: from the cache where they fit into it, else from memory, at the rate of a "
    "copy. Williams, Waterman and Patterson, Communications of the ACM 52 (2009).",
)


def page(report: Report) -> str:
    """Return the page; whatever a file says in it is escaped."""
    facts = report.fingerprint
    title = f"Roofline: {facts.board or facts.processor}"
    body = [
        f"<header><h1>{safe(title)}</h1>{_validity(report)}</header>",
        note("This run does not count:", "bad", report.invalid) if report.invalid else "",
        fact_cards(_facts(report)),
        _overview(report) if len(report.networks) > 1 else "",
        "<h2>Networks</h2>",
        _networks(report),
        *(_one(network, report.ceilings) for network in report.networks),
        "<h2>Convolutions that were tried</h2>",
        _tried(report.ceilings),
        f"<footer>{''.join(f'<p>{safe(line)}</p>' for line in _METHOD)}</footer>",
    ]
    return document(title, "".join(body))


def _validity(report: Report) -> str:
    return badge("invalid", "bad") if report.invalid else badge("valid", "good")


def _facts(report: Report) -> Iterable[tuple[str, str]]:
    ceilings, machine = report.ceilings, report.fingerprint
    for name, peak in ceilings.peaks.items():
        yield f"attainable, {name}", f"{peak.macs_per_s / 1e9:.1f} GMAC/s"
    yield "memory", f"{ceilings.memory.best / 1e9:.1f} GB/s"
    if ceilings.cache is not None:
        yield "cache, level 2", f"{ceilings.cache.best / 1e9:.1f} GB/s"
    yield "threads", str(ceilings.threads)
    yield "processor", machine.processor
    yield "LiteRT", machine.versions.get("ai-edge-litert", "-")
    yield "bundle", machine.bundle[:12]
    yield "date", report.date[:10]


def _overview(report: Report) -> str:
    marks = [mark for network in report.networks for mark in _marks(network, report.networks)]
    caption = "Every layer of every network; the larger, the more time"
    return f"<h2>All layers</h2>{_plot(caption, report.ceilings, marks)}"


def _networks(report: Report) -> str:
    head = (
        "network",
        "file",
        "MMAC",
        "MB moved",
        "ms",
        "95 %",
        "GMAC/s",
        "of attainable",
        "of roof",
    )
    return table(
        head,
        [
            (
                network.task,
                network.file,
                f"{network.macs / 1e6:.1f}",
                f"{network.moved_bytes / 1e6:.2f}",
                f"{network.time.ms:.3f}",
                f"{network.time.low_ms:.3f} to {network.time.high_ms:.3f}",
                f"{network.macs / network.time.ms / 1e6:.1f}",
                percent(network.share_of_attainable),
                percent(network.share_of_roof),
            )
            for network in report.networks
        ],
        words=(0, 1),
    )


def _one(network: Network, ceilings: Ceilings) -> str:
    total = sum(layer.time.ms for layer in network.layers)
    idle = sum(layer.time.ms for layer in network.layers if not layer.macs)
    caption = (
        f"{percent(idle / total if total > 0 else None)} of the time is in layers that multiply "
        "nothing and have no place here"
    )
    kinds = table(
        ("kind", "layers", "MMAC", "ms", "of time", "of attainable", "of roof"),
        [
            (
                kind.kind,
                str(kind.layers),
                f"{kind.macs / 1e6:.2f}",
                f"{kind.ms:.3f}",
                percent(kind.ms / total if total > 0 else None),
                percent(kind.share_of_attainable),
                percent(kind.share_of_roof),
            )
            for kind in by_kind(network.layers)
        ],
    )
    return (
        f"<h2>{safe(network.task)}: {percent(network.share_of_attainable)} of the attainable rate"
        f"</h2>{_plot(caption, ceilings, _marks(network, [network]))}{kinds}"
        f"<details><summary>{len(network.layers)} layers</summary>{_layers(network)}</details>"
    )


def _plot(caption: str, ceilings: Ceilings, marks: list[Mark]) -> str:
    below = legend(keys(layer for layer, _, _ in marks))
    return figure(caption, roofline_plot(ceilings, marks), below)


def _marks(network: Network, shown: Iterable[Network]) -> list[Mark]:
    """Return the layers of one network, with their shares of the time of all that are shown."""
    total = sum(other.time.ms for other in shown)
    return [(layer, network.task, layer.time.ms / total) for layer in network.layers]


def _layers(network: Network) -> str:
    head = (
        *("", "kind", "shapes", "KMAC", "KiB moved", "MAC/byte", "ms", "95 %"),
        *("GMAC/s", "roof ms", "reached", "bound by", "name"),
    )
    rows = [_row(layer) for layer in network.layers]
    total = sum(layer.time.ms for layer in network.layers)
    # What loses a twentieth of the whole is worth a look.
    kinds = ["strong" if layer.left_ms > 0.05 * total else "" for layer in network.layers]
    return table(head, rows, words=(1, 2, 11, 12), kinds=kinds)


def _row(layer: Layer) -> tuple[str, ...]:
    bound = layer.bound or "nothing"
    return (
        str(layer.index),
        layer.kind,
        layer.shapes,
        f"{layer.macs / 1e3:.0f}",
        f"{layer.moved_bytes / 1024:.1f}",
        number_text(layer.intensity, digits=3),
        f"{layer.time.ms:.4f}",
        f"{layer.time.low_ms:.4f} to {layer.time.high_ms:.4f}",
        number_text(layer.gmacs_per_s, digits=3),
        f"{layer.roof_ms:.4f}",
        percent(layer.share),
        bound if layer.delegated else f"{bound}, left the delegate",
        _tail(layer.name),
    )


def _tail(name: str) -> str:
    """Keep the end of a tensor's name, where PyTorch's modules tell themselves apart."""
    return name if len(name) <= _TAIL else f"…{name[-_TAIL:]}"


def _tried(ceilings: Ceilings) -> str:
    return table(
        ("ceiling", "convolution", "MMAC", "ms", "GMAC/s"),
        [
            (
                peak.ceiling,
                str(peak.shape),
                f"{peak.shape.macs / 1e6:.1f}",
                f"{peak.span.ms:.3f}",
                f"{peak.macs_per_s / 1e9:.1f}",
            )
            for peak in ceilings.tried
        ],
        words=(0, 1),
        kinds=["strong" if peak in ceilings.peaks.values() else "" for peak in ceilings.tried],
    )
