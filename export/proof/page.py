"""The record of the proof as a page for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from export.proof.likeness import EXACT_DB
from export.proof.page_cells import figure, joined, nearest, points, table, worst
from export.proof.page_mended import mended_tables
from export.proof.row import ORIGINAL
from export.proof.subject import NOISE_CALIBRATION, NOISE_HELD_BACK

__all__ = ["page"]

_HEAD = """\
# Networks that nobody here made

Written by `python -m export.proof`; do not edit. Every network goes through the same path as one
of ours: converted to the float program, quantised from {calibration} training pictures, opened in
the runtime that would run it, and judged with the pre-processing of its authors.

Networks called *seed* are the older systems' shapes with random weights, quantised from {noise}
pictures of noise that is as coarse and as fine as a photograph's, and compared on {noise_held_back}
more. Weights and biases are those with which a training starts
whose first pass sets every layer by what it gives (Salimans and Kingma, 2016), and batch norms hold
what they see on such pictures. The ranges are those that round with the least square error.

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
_DOUBLE = """
Where float32 is less than {promised:.0f} dB from the original, both were compared with the original
in double precision (*of double* in the table: the artefact). Equally near to that, they differ by
the order in which float32 adds up.
"""


def page(record: Mapping[str, Any]) -> str:
    """Return the Markdown page of a record, see ``export.proof.record``."""
    rows = record["rows"]
    limit = record["limit"]
    parts = [
        _HEAD.format(
            calibration=record["calibration"],
            noise=NOISE_CALIBRATION,
            noise_held_back=NOISE_HELD_BACK,
            machine=f"{record['machine']['processor']}, Python {record['machine']['python']}",
            date=record["date"],
            limit=f"**A trial run: at most {limit} pictures or pairs.** " if limit else "",
        ),
        _CONVERSION.format(held_back=record["held_back"]),
        table(
            ("network", "from", "s", "KiB fp32 / fp16 / INT8 / Q/DQ", "dB fp32", "dB INT8 / Q/DQ",
             "ms fp32 / INT8 / Q/DQ", "T, Q", "the INT8 file is"),
            (_conversion(row) for row in rows),
        ),
        *_doubles(rows),
        _TASK,
        table(
            ("network", "data", "n", "metric", "float", "INT8", "Q/DQ", "points"),
            (line for row in rows for line in _trials(row)),
        ),
        *mended_tables(rows),
        *_troubles(rows),
    ]  # fmt: skip
    return "\n".join(parts).rstrip() + "\n"


def _conversion(row: Mapping[str, Any]) -> Sequence[str]:
    if not row["artefacts"]:
        return (row["name"], row["kind"] or "–", *["–"] * 6, row["absent"])
    made = {f"{a['format']} {a['precision']}": a for a in row["artefacts"]}
    int8 = made["tflite int8"]
    return (
        row["name"],
        row["kind"],
        "–" if row["converts_s"] is None else f"{row['converts_s']:.0f}",
        joined(made, [key for key, _ in _MADE], lambda a: f"{a['size'] / 1024:,.0f}"),
        joined(made, ["tflite fp32"], nearest),
        joined(made, ["tflite int8", "onnx int8"], worst),
        joined(made, ["tflite fp32", "tflite int8", "onnx int8"], lambda a: f"{a['ms']:.2f}"),
        "–" if int8["stopped"] else f"{int8['transposes']}, {int8['quantizes']}",
        "does not convert" if int8["stopped"] else int8["label"],
    )


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
                figure(before, metric),
                *(figure(figures.get(key), metric) for key in ("tflite int8", "onnx int8")),
                _lost(trial["loss_points"]) if metric == trial["metrics"][0] else "",
            )


def _lost(losses: Mapping[str, float]) -> str:
    return " / ".join(
        points(losses[key]) if key in losses else "–" for key in ("tflite int8", "onnx int8")
    )


def _doubles(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Say, where float32 falls short, whether it is we who are off."""
    lines = []
    for row in rows:
        for artefact in row["artefacts"]:
            if artefact.get("double_db"):
                theirs, ours = artefact["double_db"]
                name = f"{artefact['format']} {artefact['precision']}"
                lines.append(
                    f"- {row['name']}, {name}: {worst(artefact)} dB from the original, which is "
                    f"itself {theirs:.1f} dB from double precision; the artefact {ours:.1f} dB"
                )
    if lines:
        yield _DOUBLE.format(promised=EXACT_DB)
        yield "\n".join(lines) + "\n"


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
