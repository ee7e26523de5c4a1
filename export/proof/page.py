"""The record of the proof as a page for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from export.proof.mend import BUDGET_POINTS
from export.proof.row import MIXED, ORIGINAL

__all__ = ["page"]

_HEAD = """\
# Networks that nobody here made

Written by `python -m export.proof`; do not edit. Every network goes through the same path as one
of ours: converted to the float program, quantised from {calibration} training pictures (random
weights: from noise), opened in the runtime that would run it, and judged with the pre-processing
of its authors.

{machine}, {date}. {limit}Times are the median of one run on one thread, all artefacts of a network
in turns, on a machine that others use too: they compare with each other and with nothing else.
"""
_CONVERSION = """
## What converts

Signal to noise is each artefact's output against the original's in its own framework, on
{held_back} held-back inputs, the output that differs most; 99 dB is the most that is told apart.
T counts the transposes that are left in the INT8 TFLite file, Q the operators that change a scale
or a precision.
"""
_TASK = """
## What it costs

Float is the original file in its own framework; the intervals are 95 %. Points are of a hundred,
of the metric that lost most, INT8 / Q/DQ.
"""
_MADE = (
    ("tflite fp32", "fp32"),
    ("tflite fp16", "fp16"),
    ("tflite int8", "INT8"),
    ("onnx int8", "Q/DQ"),
)
_MENDED = """
## What mixed precision brings back

INT8 that cost more than a point is searched for the layers that must stay float: the most
sensitive first, until the outputs are 25 dB near float on held-back training inputs. The data that
proves an artefact does not choose its layers; it only says, once, what the mended one loses. No
layer stays float where the outputs are that near already: what is lost then is a detection or two
on either side of a threshold.
"""


def page(record: Mapping[str, Any]) -> str:
    """Return the Markdown page of a record, see ``export.proof.record``."""
    rows = record["rows"]
    limit = record["limit"]
    parts = [
        _HEAD.format(
            calibration=record["calibration"],
            machine=f"{record['machine']['processor']}, Python {record['machine']['python']}",
            date=record["date"],
            limit=f"**A trial run: at most {limit} pictures or pairs.** " if limit else "",
        ),
        _CONVERSION.format(held_back=record["held_back"]),
        _table(
            ("network", "from", "s", "KiB fp32 / fp16 / INT8 / Q/DQ", "dB fp32", "dB INT8 / Q/DQ",
             "ms fp32 / INT8 / Q/DQ", "T, Q", "the INT8 file is"),
            (_conversion(row) for row in rows),
        ),
        _TASK,
        _table(
            ("network", "data", "n", "metric", "float", "INT8", "Q/DQ", "points"),
            (line for row in rows for line in _trials(row)),
        ),
        *_mended(rows),
        *_troubles(rows),
    ]  # fmt: skip
    return "\n".join(parts).rstrip() + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _conversion(row: Mapping[str, Any]) -> Sequence[str]:
    if not row["artefacts"]:
        return (row["name"], row["kind"] or "–", *["–"] * 6, row["absent"])
    made = {f"{a['format']} {a['precision']}": a for a in row["artefacts"]}
    int8 = made["tflite int8"]
    return (
        row["name"],
        row["kind"],
        "–" if row["converts_s"] is None else f"{row['converts_s']:.0f}",
        _joined(made, [key for key, _ in _MADE], lambda a: f"{a['size'] / 1024:,.0f}"),
        _joined(made, ["tflite fp32"], _worst),
        _joined(made, ["tflite int8", "onnx int8"], _worst),
        _joined(made, ["tflite fp32", "tflite int8", "onnx int8"], lambda a: f"{a['ms']:.2f}"),
        "–" if int8["stopped"] else f"{int8['transposes']}, {int8['quantizes']}",
        "does not convert" if int8["stopped"] else int8["label"],
    )


def _joined(made: Mapping[str, Any], keys: Sequence[str], cell: Any) -> str:
    return " / ".join("–" if made[key]["stopped"] else cell(made[key]) for key in keys)


def _worst(artefact: Mapping[str, Any]) -> str:
    return f"{min(artefact['sqnr_db']):.1f}"


def _trials(row: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    for trial in row["trials"]:
        figures = trial["figures"]
        for metric in trial["metrics"]:
            before = figures[ORIGINAL]
            yield (
                row["name"],
                trial["data"],
                str(before[f"{metric}_n"]),
                metric,
                _figure(before, metric),
                *(_figure(figures.get(key), metric) for key in ("tflite int8", "onnx int8")),
                _lost(trial["loss_points"]) if metric == trial["metrics"][0] else "",
            )


def _figure(figures: Mapping[str, Any] | None, metric: str) -> str:
    if figures is None:
        return "–"
    low, high = figures[f"{metric}_ci95"]
    return f"{figures[metric]:.4f} ({low:.3f} to {high:.3f})"


def _lost(losses: Mapping[str, float]) -> str:
    return " / ".join(
        _points(losses[key]) if key in losses else "–" for key in ("tflite int8", "onnx int8")
    )


def _points(lost: float) -> str:
    """Write what was lost with a minus, what was won with a plus; nothing has no sign."""
    won = -round(lost, 2) + 0.0
    return f"{won:+.2f}" if won else "0.00"


def _mended(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Show what was searched for artefacts that lost too much."""
    lines = [line for row in rows for mended in row["mended"] for line in _mends(row, mended)]
    if lines:
        yield _MENDED
        yield _table(
            ("network", "format", "float layers", "data", "metric", "float", "INT8", "mixed",
             "points", "ms INT8 / mixed", "within a point"),
            lines,
        )  # fmt: skip


def _mends(row: Mapping[str, Any], mended: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    made = {f"{a['format']} {a['precision']}": a for a in row["artefacts"]}
    keys = [f"{mended['format']} {precision}" for precision in ("int8", MIXED)]
    for trial in row["trials"]:
        metric, figures = trial["metrics"][0], trial["figures"]
        yield (
            row["name"],
            mended["format"],
            str(len(mended["keep_float"])),
            trial["data"],
            metric,
            *(_figure(figures.get(key), metric) for key in (ORIGINAL, *keys)),
            _points(trial["loss_points"][keys[1]]),
            _joined(made, keys, lambda a: f"{a['ms']:.2f}"),
            "yes" if trial["loss_points"][keys[1]] <= BUDGET_POINTS else "no",
        )


def _troubles(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Name what stops a conversion, and what would fail in silence."""
    lines = []
    for row in rows:
        stopped: dict[str, list[str]] = {}
        for artefact in row["artefacts"]:
            name = f"{artefact['format']} {artefact['precision']}"
            if artefact["stopped"]:
                stopped.setdefault(artefact["stopped"], []).append(name)
            lines += [f"- {row['name']}, {name}: {text}" for text in artefact["findings"]]
        lines += [f"- {row['name']}, {', '.join(names)}: {why}" for why, names in stopped.items()]
    if lines:
        yield "## What does not, and why\n"
        yield "\n".join(lines)
