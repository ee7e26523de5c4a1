"""How the networks of a bundle are opened: by which engine, and what if that is not to be had."""

from __future__ import annotations

from collections.abc import Callable

from edge.bundle import Artefact, Bundle
from edge.choice import Choice
from edge.contract import Contract
from edge.engines import made_for, open_engine
from edge.engines.base import Engine
from edge.errors import EdgeError, UnavailableError, UsageError

__all__ = ["Ways"]


def _silent(error: EdgeError) -> None:
    """Hear of nothing."""


class Ways:
    """Opens networks.

    Args:
        engine: of every network; None lets the race decide, or else the bundle.
        precision: of every network; None lets the race decide, or else the bundle: INT8 first.
        threads: of each engine, where no race decides.
        choice: what a race on this board chose.
        fallback: engine for a network that the first one cannot run here; None refuses then.
        report: hears why, once for each reason.
        build: makes the TensorRT engines of one precision that are missing; called at most once
            for each.
        dla: number of the deep-learning accelerator that TensorRT's engines are for; empty for
            the GPU.

    Raises:
        UsageError: an accelerator is named, and not the engine that knows any.
    """

    def __init__(
        self,
        *,
        engine: str | None = None,
        precision: str | None = None,
        threads: int = 1,
        choice: Choice | None = None,
        fallback: str | None = None,
        report: Callable[[EdgeError], None] = _silent,
        build: Callable[[str], None] | None = None,
        dla: str = "",
    ) -> None:
        if dla and engine != "tensorrt":
            raise UsageError(
                f"the deep-learning accelerator {dla} is TensorRT's alone",
                hint="name its engine as well: --engine tensorrt",
                code="engine.dla",
            )
        self._engine, self._precision, self._threads = engine, precision, threads
        self._choice, self._fallback = choice, fallback
        self._report, self._build = report, build
        self._dla = dla
        self._reported: set[str] = set()
        #: By precision: what became of building; None where it went well.
        self._builds: dict[str, UnavailableError | None] = {}

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
        if self._engine is None and self._precision is None and self._choice is not None:
            chosen = self._choice.of(task)
        if chosen is not None:
            artefact = bundle.artefact(task, chosen.made_for, chosen.precision)
            return artefact, chosen.engine, chosen.threads
        artefact = bundle.artefact(task, made_for(self._engine), self._precision)
        return artefact, self._engine or artefact.engine, self._threads

    def _built(self, artefact: Artefact, engine: str, threads: int) -> Engine:
        """Open an artefact; where its TensorRT engine is missing, have it built first."""
        try:
            return open_engine(artefact, threads=threads, engine=engine, dla=self._dla)
        except UnavailableError as error:
            if error.code != "engine.stale" or self._build is None:
                raise
        failed = self._had_built(artefact.precision, self._build)
        try:
            return open_engine(artefact, threads=threads, engine=engine, dla=self._dla)
        except UnavailableError as error:
            # A build that fails for one network leaves the engines of the others.
            if error.code != "engine.stale" or failed is None:
                raise
            raise failed from error

    def _had_built(self, precision: str, build: Callable[[str], None]) -> UnavailableError | None:
        """Have the engines of a precision built, once; return why that failed."""
        if precision not in self._builds:
            self._builds[precision] = None
            try:
                build(precision)
            except UnavailableError as error:
                self._builds[precision] = error
        return self._builds[precision]

    def _tell(self, error: EdgeError) -> None:
        if error.what not in self._reported:
            self._reported.add(error.what)
            self._report(error)
