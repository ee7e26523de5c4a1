"""Run the race: network by network, all ways of one in rounds."""

from __future__ import annotations

import contextlib
import datetime
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.fingerprint import Witness, take_fingerprint
from benchmarks.race import Rounds, take_rounds
from benchmarks.records import Merit
from benchmarks.sweep.times import times_of
from edge.board.identity import Board
from edge.board.system import System
from edge.bundle import Bundle
from edge.errors import EdgeError, UnavailableError
from export.progress import Progress, Say
from export.race.choose import choose
from export.race.entry import Entry
from export.race.likeness import LEAST_COSINE, likeness
from export.race.memory import memory_mib
from export.race.merit import Judge
from export.race.record import Heat, Race
from export.race.scenes import Scene, draw_scenes, fill_map, show
from export.race.ways import Way, find_ways, has_tensorrt

__all__ = ["ROUNDS", "Plan", "run_race"]

#: Slices of a way; they are what is drawn anew for an interval.
ROUNDS = 10
_SCENES = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """How a bundle is raced.

    Attributes:
        threads: numbers of them that are tried.
        seconds: of timed runs a way, at least.
        data: folder of data packs to measure accuracy on; None takes the bundle's evidence.
        limit: at most so many pictures a network; None takes all.
        rounds: slices that the seconds are cut into.
    """

    threads: Sequence[int]
    seconds: float = 2.0
    data: Path | None = None
    limit: int | None = None
    rounds: int = ROUNDS


def run_race(path: Path, plan: Plan, *, say: Say = lambda line: None) -> Race:
    """Measure every way of running each network of a bundle on this board.

    Args:
        path: of the bundle.
        plan: see there.
        say: is told of every step, see ``export.progress``.

    Raises:
        EdgeError: the bundle does not open, ``plan.data`` holds none of its packs, or not one way
            of any network runs.
    """
    progress, bundle = Progress.of(say), Bundle.open(path)
    ways = find_ways(bundle, plan.threads, tensorrt=has_tensorrt(System()))
    scenes = draw_scenes(_SCENES)
    progress.expect(len(ways) * plan.rounds)
    with ExitStack() as stack:
        judge = None
        if plan.data is not None:
            judge = stack.enter_context(Judge(bundle, plan.data, limit=plan.limit))
        with Witness(needed=max(plan.threads)) as witness:
            heats = [_heat(task, ways[task], plan, scenes, path, judge, progress) for task in ways]
    race = Race(
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        bundle=(bundle.name, bundle.digest),
        board=Board.here(),
        seconds=plan.seconds,
        rounds=plan.rounds,
        heats=heats,
        invalid=witness.invalid,
        remarks=_remarks(heats, judge),
        facts=_facts(witness, bundle),
    )
    if not race.choice:
        reason = next((r for heat in heats for r in heat.verdict.reasons if r), "nothing ran")
        raise UnavailableError(
            f"{path}: no way of any network can be chosen: {reason}",
            hint="see what is missing with: edge-doctor",
            code="race.nothing",
        )
    return race


def _heat(
    task: str,
    ways: Sequence[Way],
    plan: Plan,
    scenes: Sequence[Scene],
    path: Path,
    judge: Judge | None,
    progress: Progress,
) -> Heat:
    """Measure all ways of one network and choose among them."""
    timed = _time(task, ways, plan, scenes, progress)
    known: dict[tuple[str, str], Entry] = {}
    entries = []
    for number, way in enumerate(ways):
        kind = (way.artefact.file, way.engine)
        if number in timed.missing:
            entries.append(replace(_entry(way), problem=timed.missing[number].what))
            continue
        # Neither memory nor answers depend on the number of threads.
        if kind not in known:
            known[kind] = _looked_at(way, ways, scenes, path, judge)
        slices = timed.slices[number]
        entries.append(
            replace(
                known[kind],
                threads=way.threads,
                times=times_of(slices),
                rounds_ms=tuple(float(np.median(piece)) / 1e6 for piece in slices),
            )
        )
    heat = Heat(task, entries, choose(entries))
    if heat.winner is None:
        progress(f"{task}: no way of it can be chosen; the bundle's own choice holds")
    else:
        progress(f"{task}: {heat.winner}: {np.median(heat.winner.rounds_ms):.3g} ms")
    return heat


def _time(
    task: str, ways: Sequence[Way], plan: Plan, scenes: Sequence[Scene], progress: Progress
) -> Rounds[int]:
    """Give every way its slice in every round; what does not run is a missing one."""
    with ExitStack() as steps:
        seen = -1

        def step(number: int, way: int) -> None:
            nonlocal seen
            if number != seen:
                seen = number
                steps.close()
                steps.enter_context(progress.step(f"{task}: round {number + 1} of {plan.rounds}"))

        return take_rounds(
            [partial(_runner, way, scenes) for way in ways],
            seconds=plan.seconds / plan.rounds,
            rounds=plan.rounds,
            step=step,
            forgive=EdgeError,
        )


@contextlib.contextmanager
def _runner(way: Way, scenes: Sequence[Scene], number: int) -> Iterator[Callable[[], int]]:
    """Open a way and give what warps a scene into it, runs it, and returns the nanoseconds."""
    contract, scene = way.artefact.contract, scenes[number % len(scenes)]
    with way.open() as engine:
        fill_map(contract, engine)

        def run() -> int:
            start = time.perf_counter_ns()
            show(contract, engine, scene)
            engine.run()
            return time.perf_counter_ns() - start

        yield run


def _entry(way: Way) -> Entry:
    """Return what is known of a way before it runs."""
    artefact = way.artefact
    return Entry(
        task=artefact.task,
        file=artefact.file,
        engine=way.engine,
        precision=artefact.precision,
        threads=way.threads,
        merit=Merit.stated(artefact.evidence),
        max_drop=artefact.evidence.max_drop,
    )


def _looked_at(
    way: Way, ways: Sequence[Way], scenes: Sequence[Scene], path: Path, judge: Judge | None
) -> Entry:
    """Return what is known of an artefact on an engine beside its time."""
    entry = replace(_entry(way), memory_mib=memory_mib(path, way))
    try:
        if not way.proven:
            near = likeness(way, ways, scenes)
            entry = replace(entry, cosine=round(near, 6) if math.isfinite(near) else None)
            if not near >= LEAST_COSINE:
                what = f"its answers are unlike those that the bundle proves: cosine {near:.3f}"
                return replace(entry, problem=what)
        if judge is not None and way.artefact.task in judge.tasks:
            entry = replace(entry, merit=judge.measure(way), measured=True)
    except EdgeError as error:
        return replace(entry, problem=error.what)
    return entry


def _remarks(heats: Sequence[Heat], judge: Judge | None) -> tuple[str, ...]:
    """Say what the figures do not."""
    said = []
    if judge is not None:
        left = [heat.task for heat in heats if heat.task not in judge.tasks]
        if left:
            said.append(f"not measured on --data, the evidence stands: {', '.join(left)}")
    free = [
        heat.task
        for heat in heats
        if any(entry.max_drop is None for entry in heat.entries)
        and len({entry.file for entry in heat.entries if not entry.problem}) > 1
    ]
    if free:
        said.append(
            "the bundle does not say how much may be lost, so that any artefact of it will do: "
            f"{', '.join(free)}; make it again to have it say so"
        )
    return tuple(said)


def _facts(witness: Witness, bundle: Bundle) -> dict[str, object]:
    """Return the machine and its state, without what differs from way to way."""
    table = take_fingerprint(engine="", threads=0, bundle=bundle.digest).to_json()
    apart = ("engine", "threads", "bundle")
    return {
        "fingerprint": {key: value for key, value in table.items() if key not in apart},
        **witness.to_json(0),
    }
