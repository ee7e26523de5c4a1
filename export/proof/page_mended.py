"""The page's tables of what mixed precision brings back, and at what cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from export.proof.mend import BUDGET_POINTS, ENOUGH_DB, TUNED_POINTS
from export.proof.page_cells import figure, joined, points, table, worst
from export.proof.row import MIXED, ORIGINAL, points_lost

__all__ = ["mended_tables"]

_MENDED = """
## What mixed precision brings back

INT8 that cost more than a point is searched for the layers that must stay float: the most
sensitive first, until the outputs are {enough:.0f} dB near float on held-back training inputs.
Where they are that near already, a detector is searched by its own figures on training pictures,
until it loses no more than {tuned:g} points of them there. The data that proves an artefact does
not choose its layers; it only says, once, what the mended one loses, on the metric that INT8 lost
most of. *Paired* is the 95 % interval of those points on the very same pictures (bootstrap over
pictures): what holds 0 does not differ from chance.
"""
_PAINTED = """
## What nearness costs

Outputs that are pictures are asked to be {least:.0f} dB near. Random weights answer every rounding:
each LeakyReLU with its batch norm takes the mean of the signal away and leaves the noise, which
grows 1.17-fold against it (normal values, slope 0.3), where training makes a network forgive. So
this is what such a depth costs at worst: the layers that must stay float, the most sensitive first.
"""


def mended_tables(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Yield the tables' parts; none where nothing had to be mended.

    Args:
        rows: of the record.
    """
    yield from _mended(rows)
    yield from _painted(rows)


def _mended(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Show what was searched for artefacts that lost too much."""
    found = [(row, mended) for row in rows for mended in row["mended"] if row["trials"]]
    if not found:
        return
    yield _MENDED.format(enough=ENOUGH_DB, tuned=TUNED_POINTS)
    yield table(
        ("network", "format", "float layers", "data", "metric", "float", "INT8", "mixed",
         "points INT8 / mixed", "paired INT8 / mixed", "ms INT8 / mixed", "within a point"),
        (line for row, mended in found for line in _mends(row, mended)),
    )  # fmt: skip
    notes = [_tuned(row, mended) for row, mended in found if mended.get("tuned")]
    if notes:
        yield "\n".join(notes) + "\n"


def _mends(row: Mapping[str, Any], mended: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    made = {f"{a['format']} {a['precision']}": a for a in row["artefacts"]}
    keys = [f"{mended['format']} {precision}" for precision in ("int8", MIXED)]
    for trial in row["trials"]:
        figures = trial["figures"]
        metric = _most_lost(trial, keys[0])
        yield (
            row["name"],
            mended["format"],
            _counted(mended),
            trial["data"],
            metric,
            *(figure(figures.get(key), metric) for key in (ORIGINAL, *keys)),
            " / ".join(points(trial["loss_points"][key]) for key in keys),
            " / ".join(_paired(trial, key, metric) for key in keys),
            joined(made, keys, lambda a: f"{a['ms']:.2f}"),
            "yes" if trial["loss_points"][keys[1]] <= BUDGET_POINTS else "no",
        )


def _counted(mended: Mapping[str, Any]) -> str:
    kept = str(len(mended["keep_float"]))
    return f"{kept} of {mended['layers']}" if mended.get("layers") else kept


def _most_lost(trial: Mapping[str, Any], key: str) -> str:
    before, after = trial["figures"][ORIGINAL], trial["figures"][key]
    return max(trial["metrics"], key=lambda metric: points_lost((metric,), before, after))


def _paired(trial: Mapping[str, Any], key: str, metric: str) -> str:
    found = trial.get("paired", {}).get(key)
    if not found:
        return "–"
    _, low, high = found[metric]
    return f"{low + 0.0:+.2f} to {high + 0.0:+.2f}"


def _tuned(row: Mapping[str, Any], mended: Mapping[str, Any]) -> str:
    """Say what a search by the task's own metric saw on training data."""
    tuned, metrics = mended["tuned"], list(mended["tuned"]["float"])
    figures = "; ".join(
        f"{name} " + ", ".join(f"{metric} {tuned[key][metric]:.4f}" for metric in metrics)
        for key, name in (("float", "float"), ("int8", "INT8"), ("mixed", "mixed"))
    )
    lost = {key: max(points, 0.0) + 0.0 for key, points in tuned["loss_points"].items()}
    if lost["int8"] <= TUNED_POINTS:
        verdict = f"INT8 loses {lost['int8']:.2f} points there: nothing to search for"
    elif mended["reached"]:
        verdict = f"{lost['int8']:.2f} points lost there become {lost['mixed']:.2f}"
    else:
        verdict = f"{lost['int8']:.2f} points lost there; at best {lost['mixed']:.2f} were found"
    return (
        f"- {row['name']}, {mended['format']}, on {tuned['n']} pictures of {tuned['data']}: "
        f"{figures}: {verdict}"
    )


def _painted(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Show what it costs to bring outputs that are pictures near enough."""
    found = [(row, mended) for row in rows for mended in row["mended"] if not row["trials"]]
    if not found:
        return
    yield _PAINTED.format(least=max(mended["least_db"] for _, mended in found))
    yield table(
        ("network", "format", "float layers", "dB INT8 / mixed", "KiB fp32 / INT8 / mixed",
         "ms fp32 / INT8 / mixed", "near enough"),
        (_paints(row, mended) for row, mended in found),
    )  # fmt: skip


def _paints(row: Mapping[str, Any], mended: Mapping[str, Any]) -> Sequence[str]:
    made = {f"{a['format']} {a['precision']}": a for a in row["artefacts"]}
    exact, *keys = (f"{mended['format']} {p}" for p in ("fp32", "int8", MIXED))
    return (
        row["name"],
        mended["format"],
        _counted(mended),
        joined(made, keys, worst),
        joined(made, [exact, *keys], lambda a: f"{a['size'] / 1024:,.0f}"),
        joined(made, [exact, *keys], lambda a: f"{a['ms']:.2f}"),
        "yes" if min(made[keys[1]]["sqnr_db"]) >= mended["least_db"] else "no",
    )
