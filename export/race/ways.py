"""Which ways there are of running a network: its artefacts, the engines that take them, threads."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from edge.board.system import System
from edge.bundle import Artefact, Bundle
from edge.engines import MADE_FOR, open_engine
from edge.engines.base import Engine
from edge.errors import UnavailableError, UsageError

__all__ = ["Way", "find_ways", "has_tensorrt"]

#: Engines that compute on the processor, where the number of threads matters.
_THREADED = ("tflite", "onnxruntime")
_MOST_WAYS = 1000


@dataclass(frozen=True, slots=True)
class Way:
    """One way of running one network.

    Attributes:
        artefact: that runs.
        engine: that runs it, one of ``edge.engines.ENGINES``.
        threads: of the engine.
    """

    artefact: Artefact
    engine: str
    threads: int

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.artefact.precision} {self.engine}, {threads}"

    @property
    def proven(self) -> bool:
        """Whether this engine is the one that the bundle's evidence was measured on."""
        return self.engine == self.artefact.engine

    def open(self) -> Engine:
        """Open the artefact on this engine and on no other.

        Raises:
            EdgeError: the engine is not there, or does not take the file.
        """
        engine = open_engine(self.artefact, threads=self.threads, engine=self.engine)
        if engine.name != self.engine:
            engine.close()
            raise UnavailableError(
                f"{self.artefact.where}: {engine.name} opened in place of {self.engine}",
                code="race.engine",
            )
        return engine


def find_ways(bundle: Bundle, threads: Sequence[int], *, tensorrt: bool) -> dict[str, list[Way]]:
    """Return the ways of every network.

    Args:
        bundle: with the artefacts.
        threads: numbers of them; an engine that computes elsewhere gets one.
        tensorrt: whether TensorRT is among the engines.

    Returns:
        By task, in the bundle's order.

    Raises:
        UsageError: there are more than the device would read figures of.
    """
    ways: dict[str, list[Way]] = {task: [] for task in bundle.tasks}
    for artefact in bundle.artefacts:
        for engine, made_for in MADE_FOR.items():
            if made_for != artefact.engine or (engine == "tensorrt" and not tensorrt):
                continue
            for count in threads if engine in _THREADED else (1,):
                ways[artefact.task].append(Way(artefact, engine, count))
    total = sum(map(len, ways.values()))
    if total > _MOST_WAYS:
        raise UsageError(
            f"{total} ways are more than {_MOST_WAYS}",
            hint="try fewer numbers of threads, such as --threads 1 2 4",
            code="race.ways",
        )
    return ways


def has_tensorrt(system: System) -> bool:
    """Tell whether TensorRT is installed, or ought to be: a Jetson without it gets to know why."""
    return importlib.util.find_spec("tensorrt") is not None or bool(
        system.text("etc/nv_tegra_release")
    )
