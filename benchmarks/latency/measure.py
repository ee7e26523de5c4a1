"""Run a subject through a scenario while the machine is watched."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from benchmarks.fingerprint import Witness, take_fingerprint
from benchmarks.latency.crew import Crew
from benchmarks.latency.live import Paced, Traffic, live
from benchmarks.latency.quantiles import percentile
from benchmarks.latency.result import LatencyResult, Settings, few
from benchmarks.latency.scenarios import Limits, Run, offline, one_by_one
from benchmarks.latency.subjects import Subject, open_subject
from edge.bundle import Bundle
from edge.engines import made_for
from edge.errors import DataError
from edge.frames import Frame

__all__ = ["MAX_FRAMES", "hold_frames", "measure"]

#: Frames that are held in memory and taken in turn: a bound for long videos.
MAX_FRAMES = 32
#: How long the harness's own cost is measured.
_NULL = Limits(seconds=0.5, count=30)


def hold_frames(source: Iterable[Frame]) -> list[Frame]:
    """Read the first ``MAX_FRAMES`` frames of a source; reading is not what is timed.

    Raises:
        DataError: there are none.
    """
    held = list(itertools.islice(source, MAX_FRAMES))
    if not held:
        raise DataError("the source gives no frames", code="bench.frames")
    return held


def measure(
    settings: Settings,
    bundle: Bundle,
    frames: Sequence[Frame],
    *,
    camera: Iterable[Frame] | None = None,
    step: Callable[[], None] = lambda: None,
) -> LatencyResult:
    """Time a subject while the machine is watched.

    Args:
        settings: of the run.
        bundle: with the networks.
        frames: in memory; taken in turn.
        camera: a source with a pace of its own for a live run; without it the frames are handed
            out at ``settings.fps``.
        step: called after every query.

    Raises:
        EdgeError: the subject does not open, or an engine fails: nothing is measured then.
    """

    def subject(engine: str | None) -> Subject:
        return open_subject(
            settings.subject, bundle, frames, threads=settings.threads, engine=engine
        )

    with ExitStack() as stack:
        workers = [stack.enter_context(subject(settings.engine)) for _ in range(settings.workers)]
        crew = stack.enter_context(Crew(workers))
        for worker in workers:
            for frame in itertools.islice(itertools.cycle(frames), settings.warm_up):
                worker.run(frame)
        with Witness(needed=settings.threads * settings.workers) as witness:
            run, traffic = _run(settings, crew, frames, camera, step)
    fingerprint = take_fingerprint(
        engine=settings.engine or "bundle's own", threads=settings.threads, bundle=bundle.digest
    )
    return LatencyResult(
        settings=settings,
        run=run,
        frames=len(frames),
        harness_ms=_harness_ms(settings, bundle, frames),
        traffic=traffic,
        invalid=(*few(settings, run), *witness.invalid),
        facts={
            "artefacts": _artefacts(bundle, settings.engine),
            "fingerprint": fingerprint.to_json(),
            **witness.to_json(len(run.answers)),
        },
        temperature_c=[(s.at_s, s.celsius) for s in witness.samples if s.celsius is not None],
    )


def _run(
    settings: Settings,
    crew: Crew,
    frames: Sequence[Frame],
    camera: Iterable[Frame] | None,
    step: Callable[[], None],
) -> tuple[Run, Traffic | None]:
    """Play the scenario."""
    limits = Limits(settings.seconds, settings.count)
    if settings.scenario == "live":
        shown = Paced(frames, settings.fps) if camera is None else camera
        return live(crew.subjects[0], shown, limits, step=step)
    if settings.scenario == "offline":
        return offline(crew, frames, limits, step=step), None
    return one_by_one(crew, frames, limits, streams=settings.streams, step=step), None


def _harness_ms(settings: Settings, bundle: Bundle, frames: Sequence[Frame]) -> float | None:
    """Return what a frame takes when no engine computes anything; None for a stage alone.

    Such engines find no face, so that a stage that reads one has nothing to run on.
    """
    if settings.subject.startswith("stage:"):
        return None
    with (
        open_subject(
            settings.subject, bundle, frames, threads=settings.threads, engine="null"
        ) as empty,
        Crew([empty]) as crew,
    ):
        return percentile(one_by_one(crew, frames, _NULL).raw_ns, 0.5) / 1e6


def _artefacts(bundle: Bundle, engine: str | None) -> dict[str, str]:
    """Return the file that runs for each task: its name says precision and format."""
    made = made_for(engine)
    fitting = {a.task for a in bundle.artefacts if made in (None, a.engine)}
    return {task: bundle.artefact(task, made).file for task in bundle.tasks if task in fitting}
