"""Results as Markdown tables for a README."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.page import clean, interval_text, markdown_table, number_text
from benchmarks.page.markdown import cell
from benchmarks.records import Facts, Record
from benchmarks.report.named import Named, accuracies, latencies, sweeps
from benchmarks.report.rows import LATENCY_HEAD, latency_row
from benchmarks.sweep.words import HEAD as SWEEP_HEAD
from benchmarks.sweep.words import row as sweep_row

__all__ = ["markdown"]

#: Facts of a fingerprint that a caption names, in this order.
_CAPTION = ("board", "processor", "cores", "governor", "power_mode", "os", "engine", "revision")


def markdown(results: Sequence[Named[Record]]) -> str:
    """Return the tables, with the machine below each kind."""
    lines: list[str] = []
    for part in (_latency(results), _stages(results), _accuracy(results), _sweeps(results)):
        found = list(part)
        if found:
            lines += [*found, ""]
    lines += _machines(results)
    return "\n".join(lines).rstrip("\n") + "\n"


def _latency(results: Sequence[Named[Record]]) -> Iterator[str]:
    found = latencies(results)
    if not found:
        return
    yield from markdown_table(LATENCY_HEAD, map(latency_row, found), words=(0, 1, 2))
    for named in found:
        if not named.record.valid:
            reasons = "; ".join(map(cell, named.record.invalid)) or "no reason is given"
            yield from ("", f"**{cell(named.name)} is invalid**: {reasons}.")


def _stages(results: Sequence[Named[Record]]) -> Iterator[str]:
    rows = [
        (named.name, name, *map(number_text, (s.pre_ms, s.infer_ms, s.post_ms, s.total_ms, s.runs)))
        for named in latencies(results)
        for name, s in named.record.stages.items()
    ]
    if rows:
        head = ("result", "stage", "pre ms", "infer ms", "post ms", "all ms", "runs a frame")
        yield from markdown_table(head, rows, words=(0, 1))


def _accuracy(results: Sequence[Named[Record]]) -> Iterator[str]:
    rows = [
        (
            *(named.record.task, named.record.data, name),
            *(number_text(f.value), interval_text(f.ci95), str(f.n or named.record.n)),
        )
        for named in accuracies(results)
        for name, f in named.record.figures.items()
    ]
    if rows:
        head = ("task", "data", "figure", "value", "95 %", "n")
        yield from markdown_table(head, rows, words=(0, 1, 2))


def _sweeps(results: Sequence[Named[Record]]) -> Iterator[str]:
    for named in sweeps(results):
        head = ("network", "front", *SWEEP_HEAD[1:])
        rows = []
        for one in named.record.cells:
            star, bundle, way, *others = sweep_row(one)
            reason = f": {one.unavailable}" if one.unavailable else ""
            rows.append((one.subject, star, bundle, way + reason, *others))
        yield from markdown_table(head, rows, words=(0, 1, 2, 3))
        if not named.record.valid:
            yield from ("", f"**{cell(named.name)} is invalid**: "
                            f"{'; '.join(map(cell, named.record.invalid))}.")  # fmt: skip


def _machines(results: Sequence[Named[Record]]) -> list[str]:
    """Return a line a machine with the results that come from it."""
    groups: dict[str, list[str]] = {}
    for result in results:
        groups.setdefault(_caption(result.record.fingerprint), []).append(result.name)
    return [
        f"{', '.join(map(cell, names))}: {cell(caption)}."
        for caption, names in groups.items()
        if caption
    ]


def _caption(facts: Facts) -> str:
    known = ((key, facts.leaves.get(key)) for key in _CAPTION)
    return ", ".join(f"{key} {clean(value)}" for key, value in known if value is not None)
