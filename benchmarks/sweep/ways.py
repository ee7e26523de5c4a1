"""Which ways there are of running a bundle's networks: what artefacts it has, times threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.latency.subjects import PIPELINE, Subject, open_subject
from benchmarks.records import Cell, Merit
from benchmarks.records.sweep import MAX_CELLS
from edge.bundle import Artefact, Bundle
from edge.errors import DataError
from edge.frames import Frame
from edge.pipeline import REQUIRED

__all__ = ["OWN", "Way", "Wish", "find_ways"]

#: Engine and precision of a pipeline whose networks have no pair in common.
OWN = "mixed"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a sweep is to look at; empty takes everything.

    Attributes:
        threads: numbers of them, of each engine.
        subjects: ``pipeline`` and tasks.
        engines, precisions: of the artefacts.
    """

    threads: Sequence[int] = (1,)
    subjects: Sequence[str] = ()
    engines: Sequence[str] = ()
    precisions: Sequence[str] = ()

    def takes(self, artefact: Artefact) -> bool:
        """Tell whether an artefact is among those that are wished for."""
        return (not self.engines or artefact.engine in self.engines) and (
            not self.precisions or artefact.precision in self.precisions
        )

    def asks(self, subject: str) -> bool:
        """Tell whether a subject is."""
        return not self.subjects or subject in self.subjects


@dataclass(frozen=True, slots=True)
class Way:
    """One cell before it is measured.

    Attributes:
        cell: what will be told of it.
        bundle: with the artefacts of this way alone.
    """

    cell: Cell
    bundle: Bundle

    def open(self, frames: Sequence[Frame]) -> Subject:
        """Open what is timed.

        Raises:
            UnavailableError: the engine's library is not installed.
            EdgeError: it does not open for another reason.
        """
        subject = self.cell.subject
        name = subject if subject == PIPELINE else f"engine:{subject}"
        return open_subject(name, self.bundle, frames, threads=self.cell.threads, engine=None)


def find_ways(bundles: Sequence[tuple[str, Bundle]], wish: Wish) -> list[Way]:
    """Return every way, those of one subject together.

    Args:
        bundles: each with the name that it is told by.
        wish: what to look at.

    Raises:
        DataError: there is none, or too many.
    """
    ways = [way for name, bundle in bundles for way in _of_bundle(name, bundle, wish)]
    if not ways:
        raise DataError(
            "no artefact of the bundle fits what the sweep is to look at",
            hint="leave out --engine, --precision or --subject",
            code="bench.sweep",
        )
    if len(ways) > MAX_CELLS:
        raise DataError(f"{len(ways)} cells are more than {MAX_CELLS}", code="bench.sweep")
    order = list(dict.fromkeys(way.cell.subject for way in ways))
    return sorted(
        ways, key=lambda way: (way.cell.subject != PIPELINE, order.index(way.cell.subject))
    )


def _of_bundle(name: str, bundle: Bundle, wish: Wish) -> Iterator[Way]:
    if wish.asks(PIPELINE) and set(REQUIRED) <= set(bundle.tasks):
        yield from _pipelines(name, bundle, wish)
    for artefact in bundle.artefacts:
        if wish.asks(artefact.task) and wish.takes(artefact):
            alone = replace(bundle, artefacts=(artefact,))
            cell = _cell(artefact.task, name, artefact, artefact.engine, artefact.precision)
            proven = replace(cell, merit=Merit.stated(artefact.evidence))
            yield from (Way(replace(proven, threads=n), alone) for n in wish.threads)


def _pipelines(name: str, bundle: Bundle, wish: Wish) -> Iterator[Way]:
    """Give the pipelines whose networks all run on one engine, in one precision.

    Without any there is one of the bundle's own choice among what is wished for.
    """
    fitting = [artefact for artefact in bundle.artefacts if wish.takes(artefact)]
    pairs = dict.fromkeys((artefact.engine, artefact.precision) for artefact in fitting)
    kinds = {pair: tuple(a for a in fitting if (a.engine, a.precision) == pair) for pair in pairs}
    whole = {pair: kept for pair, kept in kinds.items() if len(kept) == len(bundle.tasks)}
    if not whole and {artefact.task for artefact in fitting} == set(bundle.tasks):
        whole = {(OWN, OWN): tuple(fitting)}
    for (engine, precision), kept in whole.items():
        alone = replace(bundle, artefacts=kept)
        cell = _cell(PIPELINE, name, alone.artefact("detect"), engine, precision)
        yield from (Way(replace(cell, threads=n), alone) for n in wish.threads)


def _cell(subject: str, bundle: str, sized: Artefact, engine: str, precision: str) -> Cell:
    height, width = sized.contract.size_hw
    return Cell(subject, bundle, engine, precision, height, width, threads=1)
