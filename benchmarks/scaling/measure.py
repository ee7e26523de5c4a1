"""How a pipeline scales: with threads, with processes, with faces, and by LiteRT's interface.

And how far its time lies above that of its engines.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.fingerprint import Witness, take_fingerprint
from benchmarks.latency.crew import Crew
from benchmarks.latency.subjects import PIPELINE, open_subject
from benchmarks.race import Ratio, paired_ratio
from benchmarks.scaling.compiled import INTERFACES, open_interface, seconds_together
from benchmarks.scaling.passes import Passes
from benchmarks.scaling.processes import Processes
from benchmarks.scaling.rounds import in_rounds
from edge.bundle import Bundle
from edge.errors import DataError
from edge.frames import Frame
from edge.pipeline import Pipeline

__all__ = ["Gain", "Scaling", "measure_scaling", "tiled"]

#: Frames that each worker runs in one turn: long enough that starting them costs nothing.
_FRAMES = 8
#: Runs of a network in one turn.
_RUNS = 20
_FACES = 4


@dataclass(frozen=True, slots=True)
class Gain:
    """How much more is done, or takes, than by one.

    Attributes:
        name: of what is compared, and ``says`` in words.
        ratio: and its 95 % interval.
        one_ms: median of what one takes.
    """

    name: str
    says: str
    ratio: Ratio
    one_ms: float

    def to_json(self) -> dict[str, object]:
        """Return the fields."""
        low, high = self.ratio.ci95
        return {
            "says": self.says,
            "ratio": round(self.ratio.value, 4),
            "ratio_ci95": [round(low, 4), round(high, 4)],
            "one_ms": round(self.one_ms, 4),
        }


@dataclass(frozen=True, slots=True)
class Scaling:
    """Everything that was compared, in the order of the measurement.

    Attributes:
        workers: that were compared with one.
        gains: each comparison.
        invalid: why the figures cannot be trusted; empty for a valid run.
        facts: what was seen of the machine, by name, as it stands in the result's JSON.
    """

    workers: int
    gains: tuple[Gain, ...]
    invalid: tuple[str, ...]
    facts: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        """Return the object of docs/bench.md."""
        return {
            "kind": "scaling",
            "valid": not self.invalid,
            "invalid": list(self.invalid),
            "workers": self.workers,
            "gains": {gain.name: gain.to_json() for gain in self.gains},
            **self.facts,
        }


def measure_scaling(
    bundle: Bundle,
    path: Path,
    frames: Sequence[Frame],
    *,
    workers: int,
    seconds: float,
    step: Callable[[], None] = lambda: None,
) -> Scaling:
    """Measure all of it.

    Args:
        bundle: of the pipelines, and ``path`` where worker processes find it.
        frames: with faces, in memory.
        workers: threads or processes that are compared with one.
        seconds: of each comparison.
        step: called after every round.

    Raises:
        EdgeError: something does not open or run.
    """
    with Witness(needed=workers) as witness:
        gains = [_threads(bundle, frames, workers, seconds, step)]
        gains.append(_processes(path, frames, workers, seconds, step))
        gains.append(_faces(bundle, frames, seconds, step))
        gains += _above_the_engines(bundle, frames[0], seconds, step)
        for task in bundle.tasks:
            if bundle.artefact(task).engine == "tflite":
                gains += _interfaces(bundle, task, workers, seconds, step)
    fingerprint = take_fingerprint(engine="bundle's own", threads=1, bundle=bundle.digest)
    facts = {"fingerprint": fingerprint.to_json(), **witness.to_json(0)}
    return Scaling(workers, tuple(gains), witness.invalid, facts)


def _threads(
    bundle: Bundle,
    frames: Sequence[Frame],
    workers: int,
    seconds: float,
    step: Callable[[], None],
) -> Gain:
    with ExitStack() as stack:
        subjects = [
            stack.enter_context(open_subject(PIPELINE, bundle, frames, threads=1, engine=None))
            for _ in range(workers)
        ]
        one, all_of_them = (stack.enter_context(Crew(s)) for s in (subjects[:1], subjects))

        def run(crew: Crew, count: int) -> None:
            crew.run(itertools.islice(itertools.cycle(frames), count))

        took = in_rounds(
            {
                "one": lambda: run(one, _FRAMES),
                "all": lambda: run(all_of_them, _FRAMES * workers),
            },
            seconds=seconds,
            step=step,
        )
    says = f"frames a second of {workers} pipelines in threads against one"
    ratio = paired_ratio(took["one"] * workers, took["all"])
    return Gain("threads", says, ratio, _ms(took["one"], _FRAMES))


def _processes(
    path: Path,
    frames: Sequence[Frame],
    workers: int,
    seconds: float,
    step: Callable[[], None],
) -> Gain:
    with (
        Processes(1, path, frames, threads=1) as one,
        Processes(workers, path, frames, threads=1) as all_of_them,
    ):
        took = in_rounds(
            {"one": lambda: one.run(_FRAMES), "all": lambda: all_of_them.run(_FRAMES)},
            seconds=seconds,
            step=step,
        )
    says = f"frames a second of {workers} processes against one"
    ratio = paired_ratio(took["one"] * workers, took["all"])
    return Gain("processes", says, ratio, _ms(took["one"], _FRAMES))


def _faces(
    bundle: Bundle, frames: Sequence[Frame], seconds: float, step: Callable[[], None]
) -> Gain:
    single = frames[0]
    crowd = tiled(single)
    with open_subject(PIPELINE, bundle, frames, threads=1, engine=None) as subject:
        found = [subject.run(frame).faces for frame in (single, crowd)]
        if found != [1, _FACES]:
            raise DataError(
                f"the first frame has {found[0]} faces, four copies of it in one {found[1]}",
                hint="give a source whose first frame has one large face",
                code="bench.faces",
            )
        took = in_rounds(
            {"one": lambda: subject.run(single), "four": lambda: subject.run(crowd)},
            seconds=seconds,
            step=step,
        )
    says = "time of a frame with four faces against the same with one"
    return Gain("faces", says, paired_ratio(took["four"], took["one"]), _ms(took["one"], 1))


def _above_the_engines(
    bundle: Bundle, frame: Frame, seconds: float, step: Callable[[], None]
) -> list[Gain]:
    """Hold the pipeline, and the least that must stand before its engines, against these alone."""
    with Pipeline(bundle, embeddings=True) as pipeline:
        passes = Passes(pipeline, frame)
        took = in_rounds(
            {
                "engines": passes.engines,
                "passes": passes.filled,
                "pipeline": lambda: pipeline.run(frame),
            },
            seconds=seconds,
            step=step,
        )
    one_ms = _ms(took["engines"], 1)
    says = {
        "passes": f"the engines behind {passes.count} passes over the picture against them alone",
        "pipeline": "the whole pipeline against its engines alone",
    }
    return [
        Gain(name, words, paired_ratio(took[name], took["engines"]), one_ms)
        for name, words in says.items()
    ]


def tiled(frame: Frame) -> Frame:
    """Return a frame with four copies of another, two by two, at the same size.

    The picture is halved first, so that finding the faces costs the same.
    """
    half = frame.image[::2, ::2]
    rows, columns = (side // 2 * 2 for side in frame.image.shape[:2])
    image = np.tile(half, (2, 2, 1))[:rows, :columns]
    return Frame(np.ascontiguousarray(image), frame.index, frame.captured_ns, frame.source)


def _interfaces(
    bundle: Bundle, task: str, workers: int, seconds: float, step: Callable[[], None]
) -> list[Gain]:
    """Compare LiteRT's interfaces on one network: with one another, and each in threads."""
    artefact = bundle.artefact(task)
    calls = {name: [open_interface(name, artefact) for _ in range(workers)] for name in INTERFACES}
    works: dict[str, Callable[[], object]] = {}
    for name, opened in calls.items():
        works[f"{name} one"] = functools.partial(seconds_together, opened[:1], _RUNS)
        works[f"{name} all"] = functools.partial(seconds_together, opened, _RUNS)
    took = in_rounds(works, seconds=seconds, step=step)
    gains = [
        Gain(
            f"{task}: {name} in threads",
            f"runs a second of {workers} in threads against one",
            paired_ratio(took[f"{name} one"] * workers, took[f"{name} all"]),
            _ms(took[f"{name} one"], _RUNS),
        )
        for name in INTERFACES
    ]
    ratio = paired_ratio(took["CompiledModel all"], took["Interpreter all"])
    says = f"time of CompiledModel against Interpreter, {workers} threads each"
    one_ms = _ms(took["Interpreter all"], _RUNS)
    return [*gains, Gain(f"{task}: CompiledModel", says, ratio, one_ms)]


def _ms(took: np.ndarray[tuple[int, ...], np.dtype[np.float64]], count: int) -> float:
    return float(np.median(took)) / count * 1e3
