"""One way of running one network, and everything that a race found out about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.race import Ratio, paired_ratio
from benchmarks.records import Merit, Times
from edge.choice import Chosen

__all__ = ["Entry", "times_as_long"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One way.

    Attributes:
        task: of the network.
        file: of the artefact.
        engine, precision, threads: how it ran.
        merit: how good it is.
        measured: whether ``merit`` was measured in this race; else it is the bundle's evidence.
        max_drop: how much worse than the best way it may be, in the metric's unit; None where the
            bundle does not say.
        times: warp into the input and run; None where it did not run.
        rounds_ms: median of each round.
        memory_mib: that it holds while it is open; None where nobody could tell.
        cosine: of its answers with those of the engine that the evidence was measured on; None
            where that is this engine.
        problem: why it cannot be chosen whatever its time is; empty where it can.
    """

    task: str
    file: str
    engine: str
    precision: str
    threads: int
    merit: Merit
    measured: bool = False
    max_drop: float | None = None
    times: Times | None = None
    rounds_ms: tuple[float, ...] = ()
    memory_mib: float | None = None
    cosine: float | None = None
    problem: str = ""

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.precision} {self.engine}, {threads}"

    @property
    def chosen(self) -> Chosen:
        """What the device reads if this way is chosen."""
        return Chosen(self.engine, self.precision, self.threads)

    def to_json(self) -> dict[str, object]:
        """Return every figure."""
        return asdict(self)


def times_as_long(over: Entry, under: Entry) -> Ratio:
    """Return how many times as long one way takes as another, both timed in the same rounds.

    The quotient is taken round by round, where both met the same load of the machine.
    """
    return paired_ratio(_column(over), _column(under))


def _column(entry: Entry) -> NDArray[np.float64]:
    return np.array(entry.rounds_ms, np.float64)[:, None]
