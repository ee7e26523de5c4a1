"""A comparison as people read it."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.compare.accuracy import AccuracyContest
from benchmarks.compare.contest import Contest, Side, verdict
from benchmarks.page.text import clean, interval_text, number_text
from benchmarks.race import Ratio

__all__ = ["lines"]


def lines(contest: Contest | AccuracyContest) -> Iterator[str]:
    """Say what was found, the verdict first."""
    if isinstance(contest, AccuracyContest):
        yield from _figures(contest)
    else:
        yield from _times(contest)
    for remark in contest.remarks:
        yield f"note: {clean(remark, most=2000)}"


def _times(contest: Contest) -> Iterator[str]:
    yield verdict(contest.ratio)
    yield ""
    yield from (_side("A", contest.a), _side("B", contest.b))
    how = "in turn, in one process" if contest.paired else "measured apart"
    yield f"   {contest.what}, {how}; by {contest.figure}"
    if contest.p90 is not None:
        yield f"   p90: A is {_ratio(contest.p90)} times as fast"
    if contest.stages:
        yield ""
        yield f"   {'a frame, ms':<18}{'A':>9}{'B':>9}   A is so many times as fast (95 %)"
    for name, stage in contest.stages.items():
        times = "".join(f"{number_text(ms):>9}" for ms in (stage.a_ms, stage.b_ms))
        ratio = "" if stage.ratio is None else f"   {_ratio(stage.ratio)}"
        yield f"   {clean(name, most=17):<18}{times}{ratio}"


def _side(letter: str, side: Side) -> str:
    faces = side.faces_per_frame
    saw = "" if faces is None else f", {faces:.2f} faces a frame"
    return (
        f"{letter}  {clean(side.name)}: p50 {number_text(side.p50_ms)} ms, "
        f"p90 {number_text(side.p90_ms)} ms, {side.count} runs{saw}"
    )


def _ratio(ratio: Ratio) -> str:
    low, high = ratio.ci95
    same = "" if ratio.told_apart else ", not told apart"
    return f"{ratio.value:.3f} ({low:.3f} to {high:.3f}{same})"


def _figures(contest: AccuracyContest) -> Iterator[str]:
    told = [name for name, figure in contest.figures.items() if figure.better]
    count = f"{len(told)} of {len(contest.figures)} figures told apart"
    yield f"accuracy of {clean(contest.task)}: {count}"
    yield ""
    yield f"   {'figure':<24}{'A':>9}{'B':>9}{'B - A':>9}   95 %"
    for name, figure in contest.figures.items():
        values = "".join(f"{number_text(v):>9}" for v in (figure.a, figure.b, figure.difference))
        better = f"   {figure.better} is better" if figure.better else ""
        ends = interval_text(figure.ci95, digits=3)
        yield f"   {clean(name, most=23):<24}{values}   {ends}{better}"
