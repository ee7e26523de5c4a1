"""The task of a network that is converted with its card, and what proves it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.evidence import Evidence
from export.gate.compare import Similarity, prove
from export.gate.metric import figures_of
from export.gate.peers import PEERS, Peers, shipped
from export.importers.source import Source
from export.program.lowered import Lowered
from export.progress import Progress

__all__ = ["Task", "open_peers", "prove_all"]


@dataclass(frozen=True, slots=True)
class Task:
    """What the artefacts of a network with a card are proven on.

    Attributes:
        data: folder of the data packs that the card names.
        limit: prove on at most so many pictures; None takes all.
    """

    data: Path
    limit: int | None = None


@contextlib.contextmanager
def open_peers(source: Source, task: Task | None) -> Iterator[Peers]:
    """Open the networks that a task's metric needs, those that ship with the package."""
    wanted = PEERS[source.card.task] if source.card and task else ()
    with Peers(shipped(wanted) if wanted else {}) as peers:
        yield peers


def prove_all(
    source: Source,
    exact: Lowered,
    artefacts: Sequence[Lowered],
    near: Sequence[Similarity],
    task: Task | None,
    peers: Peers,
    progress: Progress,
) -> Sequence[Evidence | None]:
    """Measure the task's own metric for every artefact; None for each where there is no task.

    Args:
        source: with its card.
        exact: the float program.
        artefacts, near: made of it, and how near each is.
        task: what they are proven on.
        peers: networks that the task needs beside them.
        progress: is told of the one step.

    Raises:
        GateFailed: an artefact lost more than the card allows.
    """
    card = source.card
    if card is None or task is None:
        return [None] * len(artefacts)
    with progress.step(f"{source.name}: {card.evidence.metric} on {card.evidence.pack}"):
        before = figures_of(card, exact, peers, task.data, task.limit)
        return [
            prove(card, before, artefact, likeness, peers, task.data, limit=task.limit)
            for artefact, likeness in zip(artefacts, near, strict=True)
        ]
