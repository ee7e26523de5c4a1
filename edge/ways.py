"""How the networks of a bundle are opened: by which engine, and what if that is not to be had."""

from __future__ import annotations

from collections.abc import Callable

from edge.bundle import Artefact, Bundle
from edge.choice import Choice
from edge.contract import Contract
from edge.engines import made_for, open_engine
from edge.engines.base import Engine
from edge.errors import EdgeError, UnavailableError

__all__ = ["Ways"]


def _silent(error: EdgeError) -> None:
    """Hear of nothing."""


class Ways:
    """Opens networks.

    Args:
        engine: of every network; None lets the race decide, or else the bundle.
        threads: of each engine, where no race decides.
        choice: what a race on this board chose.
        fallback: engine for a network that the first one cannot run here; None refuses then.
        report: hears why, once for each reason.
        build: makes the TensorRT engines that are missing; called at most once.
    """

    def __init__(
        self,
        *,
        engine: str | None = None,
        threads: int = 1,
        choice: Choice | None = None,
        fallback: str | None = None,
        report: Callable[[EdgeError], None] = _silent,
        build: Callable[[], None] | None = None,
    ) -> None:
        self._engine, self._threads = engine, threads
        self._choice, self._fallback = choice, fallback
        self._report, self._build = report, build
        self._reported: set[str] = set()

    def open(self, bundle: Bundle, task: str) -> tuple[Engine, Contract]:
        """Open a bundle's network for a task; the caller closes the engine.

        Raises:
            BundleError: the bundle has none for this engine, or it does not hold.
            UnavailableError: the engine cannot run here, and nothing may take its place.
        """
        artefact, engine, threads = self._wanted(bundle, task)
        try:
            return self._built(artefact, engine, threads), artefact.contract
        except UnavailableError as error:
            if self._fallback in (None, engine):
                raise
            self._tell(error)
        artefact = bundle.artefact(task, made_for(self._fallback))
        opened = open_engine(artefact, threads=self._threads, engine=self._fallback)
        return opened, artefact.contract

    def _wanted(self, bundle: Bundle, task: str) -> tuple[Artefact, str, int]:
        """Return what runs a task if everything is there, on how many threads."""
        chosen = None
        if self._engine is None and self._choice is not None:
            chosen = self._choice.of(task)
        if chosen is not None:
            artefact = bundle.artefact(task, chosen.made_for, chosen.precision)
            return artefact, chosen.engine, chosen.threads
        artefact = bundle.artefact(task, made_for(self._engine))
        return artefact, self._engine or artefact.engine, self._threads

    def _built(self, artefact: Artefact, engine: str, threads: int) -> Engine:
        """Open an artefact; where its TensorRT engine is missing, have it built first."""
        try:
            return open_engine(artefact, threads=threads, engine=engine)
        except UnavailableError as error:
            build, self._build = self._build, None
            if error.code != "engine.stale" or build is None:
                raise
            build()
        return open_engine(artefact, threads=threads, engine=engine)

    def _tell(self, error: EdgeError) -> None:
        if error.what not in self._reported:
            self._reported.add(error.what)
            self._report(error)
