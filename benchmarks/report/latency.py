"""One latency result as a part of the page."""

from __future__ import annotations

from benchmarks.page import (
    badge,
    fact_cards,
    figure,
    interval_text,
    moment_text,
    note,
    number_text,
    safe,
    table,
)
from benchmarks.records import LatencyRecord
from benchmarks.report.distribution import ecdf_plot, histogram_plot
from benchmarks.report.machines import conditions_table
from benchmarks.report.named import Named
from benchmarks.report.stages import stage_legend, stage_plot
from benchmarks.report.timeline import timeline_legend, timeline_plot

__all__ = ["latency_section"]


def latency_section(named: Named[LatencyRecord]) -> str:
    """Return the part, HTML."""
    record = named.record
    spread = figure("How many took how long", histogram_plot(record))
    done = figure("Done within a time", ecdf_plot([named]))
    conditions = conditions_table(record)
    return "".join(
        [
            f"<section><header><h2>{safe(named.name)}</h2>{_badge(record)}</header>",
            _reasons(record),
            fact_cards(_facts(record)),
            f"<h3>Latency</h3><div class='pair'>{spread}{done}</div>" if spread else "",
            figure("Where a frame's time goes", stage_plot(record), stage_legend()),
            _stages(record),
            figure("Along the run", timeline_plot(record), timeline_legend(record)),
            f"<details><summary>State of the machine</summary>{conditions}</details>"
            if conditions
            else "",
            "</section>",
        ]
    )


def _badge(record: LatencyRecord) -> str:
    return badge("valid", "good") if record.valid else badge("INVALID", "bad")


def _reasons(record: LatencyRecord) -> str:
    if record.valid:
        return ""
    return note("This run does not count:", "bad", record.invalid or ("no reason is given",))


def _facts(record: LatencyRecord) -> list[tuple[str, str]]:
    settings, ms = record.settings, record.latency_ms
    cards = [("what", f"{record.subject}, {record.scenario}")]
    for name in ("p50", "p90", "p95", "p99", "max"):
        ends = record.latency_ms_ci95.get(name)
        cards.append((name + _between(ends), f"{number_text(ms[name])} ms"))
    cards.append(("a second" + _between(record.fps_ci95), number_text(record.fps)))
    cards.append(("queries, frames", f"{record.count}, {record.frames}"))
    for what, value in (
        ("faces a frame", record.faces_per_frame),
        ("share reused by tracking", record.reused),
        ("outside the engines, ms", record.overhead_ms),
        ("with engines that compute nothing, ms", record.harness_ms),
        ("joules a frame", record.joules_per_frame),
        ("watts", record.watts),
    ):
        if value is not None:
            cards.append((what, number_text(value)))
    for what, count in (("threads", settings.threads), ("workers", settings.workers)):
        if count is not None:
            cards.append((what, str(count)))
    if record.live is not None:
        cards.append(("offered, processed, dropped", _live(record)))
    cards += [
        (what, said)
        for what, said in (("source", settings.source), ("date", moment_text(record.date)))
    ]
    return [(what, said) for what, said in cards if said]


def _live(record: LatencyRecord) -> str:
    assert record.live is not None
    live = record.live
    age = live.age_ms.get("p50")
    old = "" if age is None else f"; {number_text(age)} ms old (p50)"
    return f"{live.offered}, {live.processed}, {live.dropped}{old}"


def _stages(record: LatencyRecord) -> str:
    head = ("stage", "pre-processing ms", "inference ms", "post-processing ms", "all ms", "runs")
    rows = [
        (
            name,
            *map(number_text, (s.pre_ms, s.infer_ms, s.post_ms, s.total_ms)),
            number_text(s.runs, digits=3),
        )
        for name, s in record.stages.items()
    ]
    return table(head, rows) if rows else ""


def _between(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f" ({interval_text(ends, digits=3)})"
