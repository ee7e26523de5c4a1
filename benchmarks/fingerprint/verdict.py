"""Whether a run counts: reasons why its figures would be those of something else."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.fingerprint.conditions import Conditions
from benchmarks.fingerprint.watch import Sample
from edge.board.throttling import UNDER_VOLTAGE

__all__ = ["remarks", "verdict"]

#: Share of the queries that may meet somebody else on one of their cores. Wherever the scheduler
#: puts them, a query on n of c cores meets others' work of b cores for a share of about n b / c.
#: A single stream is judged by its p90 (MLPerf), the slowest tenth cut off; while no more than a
#: tenth is disturbed, p90 is still ours. That idle cores could have taken the others' work is no
#: excuse: caches, memory and heat are shared by all.
_MOST_DISTURBED = 0.10
#: Clocks at the end of a run against those at its begin.
_MOST_CLOCK_CHANGE = 0.10
#: A run shorter than this many looks has no begin and end that could be told apart.
_FEWEST_LOOKS = 6
#: An idle process that is put away takes less.
_MOST_SWAP_MIB = 1.0


def verdict(
    before: Conditions, after: Conditions, during: Sequence[Sample] = (), *, needed: int = 1
) -> tuple[str, ...]:
    """Return why a run does not count; nothing if it does.

    Args:
        before, after: the state round the run; ``after`` read ``since`` before, or nothing is
            known of others' work.
        during: looks along the run.
        needed: cores that the run kept busy: threads times workers.
    """
    return (
        *_throttled(before, after, during),
        *_hot(before, after, during),
        *_busy(after, needed),
        *_clock(during),
        *_swap(before, after),
        *_mode(before, after),
    )


def remarks(before: Conditions, after: Conditions) -> tuple[str, ...]:
    """Return what a reader should know of a run that may count all the same.

    What a Raspberry Pi remembers of an hour ago says nothing of now, but much of its supply.
    """
    old = [name for name in before.throttling.since_boot if name in after.throttling.since_boot]
    return tuple(f"has happened since the start, before this run: {name}" for name in old)


def _throttled(before: Conditions, after: Conditions, during: Iterable[Sample]) -> Iterable[str]:
    seen: dict[str, str] = {}
    for name in before.throttling.now:
        seen.setdefault(name, "before the run")
    for sample in during:
        for name in sample.throttled:
            seen.setdefault(name, f"{sample.at_s:.0f} s into the run")
    for name in after.throttling.since_boot:
        if name not in before.throttling.since_boot:
            seen.setdefault(name, "during the run")
    for name in after.throttling.now:
        seen.setdefault(name, "at the end of the run")
    for name, count in after.throttling.events.items():
        times = count - before.throttling.events.get(name, count)
        if times > 0:
            seen.setdefault(name, f"{times} times during the run")
    for name, when in seen.items():
        hint = "; the supply or its cable is too weak" if name == UNDER_VOLTAGE else ""
        yield f"throttled: {name} {when}{hint}"


def _hot(before: Conditions, after: Conditions, during: Iterable[Sample]) -> Iterable[str]:
    hot = [*before.hot, *(name for sample in during for name in sample.hot), *after.hot]
    for name in dict.fromkeys(hot):
        yield f"too hot: {name} reached its trip point"


def _busy(after: Conditions, needed: int) -> Iterable[str]:
    if after.load is None:
        return
    wanted = min(needed, after.cores)
    for cores, who in (
        (after.load.others_cores, "other processes used"),
        (after.load.steal_cores, "the machine's host took"),
    ):
        disturbed = wanted * cores / after.cores
        if disturbed > _MOST_DISTURBED:
            yield (
                f"busy: {who} {cores:.2f} of {after.cores} cores where the run needed {wanted}: "
                f"about {min(disturbed, 1.0):.0%} of it met them"
            )


def _clock(during: Sequence[Sample]) -> Iterable[str]:
    """Compare the first third of the looks with the last.

    The looks before and after a run tell nothing: a governor slows what rests.
    """
    clocks = [sample.mhz for sample in during if sample.mhz is not None]
    if len(clocks) < _FEWEST_LOOKS:
        return
    third = len(clocks) // 3
    begin, end = statistics.median(clocks[:third]), statistics.median(clocks[-third:])
    if begin > 0 and abs(end - begin) > _MOST_CLOCK_CHANGE * begin:
        yield f"the clock went from {begin:.0f} to {end:.0f} MHz during the run"


def _swap(before: Conditions, after: Conditions) -> Iterable[str]:
    if before.swap_mib is not None and after.swap_mib is not None:
        grown = after.swap_mib - before.swap_mib
        if grown > _MOST_SWAP_MIB:
            yield f"memory ran short: {grown:.0f} MiB more went to swap during the run"


def _mode(before: Conditions, after: Conditions) -> Iterable[str]:
    if before.power_mode != after.power_mode:
        yield f"the power mode went from {before.power_mode} to {after.power_mode}"
