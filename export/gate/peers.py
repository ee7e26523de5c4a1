"""The INT8 networks of a bundle that another network is proven together with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.faces import FaceFinder
from edge.bundle import Artefact, Bundle, default_bundle
from edge.contract import Contract
from edge.engines.base import Engine
from edge.errors import ConfigError
from edge.owned import Owned
from edge.stages import DetectStage
from export.program.lowered import ENGINES, Lowered

__all__ = ["PEERS", "Peers", "as_lowered", "shipped"]

#: INT8 networks that a task's metric needs beside the one under test.
PEERS: Mapping[str, tuple[str, ...]] = {
    "detect": (),
    "mask": ("detect",),
    "map": ("detect", "edit"),
    "edit": ("detect", "map"),
    "identity": ("detect",),
    "identity-masked": ("detect", "mask", "identity"),
    "emotion": ("detect",),
    "gender": ("detect",),
    "landmarks": ("detect",),
}


def as_lowered(artefact: Artefact) -> Lowered:
    """Return an artefact of a bundle, its bytes in memory."""
    formats = {engine: format for format, engine in ENGINES.items()}
    return Lowered(
        artefact.file,
        formats[artefact.engine],
        artefact.precision,
        artefact.content,
        artefact.contract,
    )


def shipped(tasks: Iterable[str]) -> dict[str, Lowered]:
    """Return networks of the bundle that ships with the package, for folders without recipes."""
    bundle = Bundle.open(default_bundle())
    found = set(tasks) & set(bundle.tasks)
    return {task: as_lowered(bundle.artefact(task, "tflite", "int8")) for task in found}


class Peers(Owned):
    """The INT8 networks that were made before, each opened once, when it is asked for.

    Args:
        lowered: by task.
    """

    def __init__(self, lowered: Mapping[str, Lowered]) -> None:
        self._lowered = lowered
        self._engines: dict[str, Engine] = {}
        self._finder: FaceFinder | None = None

    def close(self) -> None:
        """Close the engines; a second call does nothing."""
        for engine in self._engines.values():
            engine.close()

    def finder(self) -> FaceFinder:
        """Return one finder for all tasks, so that a picture is searched once."""
        if self._finder is None:
            self._finder = FaceFinder(DetectStage(*self.network("detect")))
        return self._finder

    def network(self, task: str) -> tuple[Engine, Contract]:
        """Return one network, opened.

        Raises:
            ConfigError: it was not made.
        """
        if task not in self._lowered:
            raise ConfigError(
                f"there is no recipe for the task {task!r}, and another network is proven with it",
                code="export.peer",
            )
        if task not in self._engines:
            self._engines[task] = self._lowered[task].open()
        return self._engines[task], self._lowered[task].contract
