"""How long artefacts take, one thread, in turns: for comparison with each other only.

The clock is the processor's time of the one thread that computes: it stands still while a
neighbour has its turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from export.program.lowered import Lowered, Sample, feed

__all__ = ["medians_ms"]

_WARM_UP = 3
_MOST_ROUNDS = 200


def medians_ms(
    artefacts: Sequence[Lowered], sample: Sample, *, seconds: float = 2.0
) -> list[float]:
    """Return the median milliseconds of one run of each artefact.

    They take turns, so that whatever else the machine does falls on all of them alike.

    Args:
        artefacts: of one network.
        sample: one input.
        seconds: about how long to measure, all together.
    """
    engines = []
    try:
        for artefact in artefacts:
            engine = artefact.open()
            engines.append(engine)
            feed(artefact.contract.inputs, sample, engine)
            for _ in range(_WARM_UP):
                engine.run()
        taken: list[list[int]] = [[] for _ in engines]
        end = time.monotonic() + seconds
        for rounds in range(_MOST_ROUNDS):
            for times, engine in zip(taken, engines, strict=True):
                begun = time.thread_time_ns()
                engine.run()
                times.append(time.thread_time_ns() - begun)
            if rounds >= 2 and time.monotonic() > end:
                break
        return [statistics.median(times) / 1e6 for times in taken]
    finally:
        for engine in engines:
            engine.close()
