"""A network opened for timing: its inputs filled, its first runs done."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from benchmarks.anatomy.base import Sample, fit_sample
from benchmarks.anatomy.graph import Graph
from benchmarks.anatomy.tracer import grid_of, interpreter
from edge.errors import DataError

__all__ = ["Runner", "stored_inputs"]

_WARM_UP = 2


class Runner:
    """One TFLite network in the device's runtime.

    Args:
        content: the file.
        fed: what its inputs hold, by tensor index: see ``stored_inputs``.
        where: its name, for messages.
        threads: of the interpreter.

    Raises:
        DataError: the runtime refuses the file, or to run it.
    """

    def __init__(
        self, content: bytes, fed: Mapping[int, NDArray[Any]], *, where: str, threads: int = 1
    ) -> None:
        self._machine = interpreter(content, where=where, threads=threads)
        # What one thread computes is told by its own clock, which stands still while a neighbour
        # has its turn; of several only the wall's tells.
        self._clock = time.thread_time_ns if threads == 1 else time.perf_counter_ns
        for index, array in fed.items():
            self._machine.set_tensor(index, array)
        try:
            for _ in range(_WARM_UP):
                self._machine.invoke()
        except RuntimeError as error:
            raise DataError(
                f"{where}: the network does not run: {error}", code="trace.run"
            ) from error

    def run_ms(self) -> float:
        """Run once and return the milliseconds that it took."""
        started = self._clock()
        self._machine.invoke()
        return (self._clock() - started) / 1e6


def stored_inputs(graph: Graph, sample: Sample, *, where: str) -> dict[int, NDArray[Any]]:
    """Return what the inputs store for a sample, by tensor index.

    Raises:
        DataError: the sample does not fit.
    """
    tensors = [graph.tensors[index] for _, index in graph.inputs]
    fitted = fit_sample(sample, [tensor.shape for tensor in tensors], where=where)
    stored = {}
    for tensor, real in zip(tensors, fitted, strict=True):
        grid = grid_of(tensor)
        stored[tensor.index] = (real if grid is None else grid.codes(real)).astype(tensor.dtype)
    return stored
