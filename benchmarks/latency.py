"""How long the pipeline takes for a frame that is in memory already."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edge.errors import DataError
from edge.frames import Frame
from edge.pipeline import Pipeline

__all__ = ["Latency", "measure_latency"]

#: Frames that are held in memory and taken in turn: a bound for long videos.
MAX_FRAMES = 32
#: Runs before the clock counts: the first ones fill caches and allocate.
WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds a frame, over ``count`` runs.

    Attributes:
        count: timed runs.
        frames: different frames that were taken in turn.
        faces: found in all timed runs together.
        p50_ms, p90_ms, p99_ms, mean_ms: of the whole pipeline.
        stage_ms: median of each stage, summed over a frame's faces.
    """

    count: int
    frames: int
    faces: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float
    stage_ms: dict[str, float]

    def to_json(self) -> dict[str, object]:
        """Return one flat object, milliseconds to the microsecond."""
        whole = {
            key: round(float(getattr(self, key)), 3)
            for key in ("p50_ms", "p90_ms", "p99_ms", "mean_ms")
        }
        stages = {name: round(value, 3) for name, value in self.stage_ms.items()}
        counts = {"count": self.count, "frames": self.frames, "faces": self.faces}
        return {**counts, **whole, "stage_ms": stages}


def measure_latency(pipeline: Pipeline, frames: Iterable[Frame], *, count: int) -> Latency:
    """Run the pipeline again and again over the first frames of a source.

    Reading and decoding the frames is not timed; drawing and writing results neither.

    Args:
        pipeline: opened.
        frames: at most ``MAX_FRAMES`` of them are read.
        count: timed runs.

    Raises:
        DataError: there are no frames.
    """
    held = list(itertools.islice(frames, MAX_FRAMES))
    if not held:
        raise DataError("the source gives no frames", code="latency.frames")
    turn = itertools.cycle(held)
    for _ in range(WARM_UP):
        pipeline.run(next(turn))
    results = [pipeline.run(next(turn)) for _ in range(count)]
    timings = {
        name: np.array([result.timing_ns.get(name, 0) for result in results]) / 1e6
        for name in results[0].timing_ns
    }
    total = timings.pop("total")
    p50, p90, p99 = (float(v) for v in np.percentile(total, [50, 90, 99]))
    return Latency(
        count=count,
        frames=len(held),
        faces=sum(len(result.faces) for result in results),
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        mean_ms=float(total.mean()),
        stage_ms={name: float(np.median(values)) for name, values in timings.items()},
    )
