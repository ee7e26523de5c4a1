"""Measure a finished bundle again and hold it to its own evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.bundle import Artefact, Bundle
from edge.errors import GateFailed
from export.cards.card import find_cards
from export.gate.metric import figures_of, loss
from export.gate.peers import Peers
from export.program.lowered import ENGINES, Lowered

__all__ = ["check_bundle"]


def check_bundle(
    bundle: Bundle, models: Path, data: Path, *, limit: int | None = None
) -> Iterator[str]:
    """Measure every artefact of a bundle on its card's evidence data.

    Args:
        bundle: read and checked.
        models: folder of the recipes; their cards say metric, data and what may be lost.
        data: folder of the data packs.
        limit: at most so many pictures or pairs.

    Yields:
        One line an artefact.

    Raises:
        GateFailed: a figure is worse than the evidence by more than the card's ``max_drop``.
    """
    cards = {card.task: card for card in find_cards(models)}
    with Peers({task: _lowered(bundle.artefact(task)) for task in bundle.tasks}) as peers:
        for artefact in bundle.artefacts:
            card = cards.get(artefact.task)
            if card is None or artefact.engine not in ENGINES.values():
                continue
            evidence = artefact.evidence
            figures = figures_of(card, _lowered(artefact), peers, data, limit)
            measure = figures.measures[evidence.metric]
            yield (
                f"{artefact.file}: {evidence.metric} {measure.value:.4f} on {figures.data}, "
                f"n {measure.n}; the bundle says {evidence.artefact_value:.4f}, n {evidence.n}"
            )
            if not loss(evidence.metric, evidence.artefact_value, measure.value) <= (
                card.evidence.max_drop
            ):
                raise GateFailed(
                    f"{artefact.file}: {evidence.metric} is {measure.value:.4f} and the evidence "
                    f"says {evidence.artefact_value:.4f}",
                    hint="make the bundle again with: edge-export make --out BUNDLE",
                    code="export.evidence",
                )


def _lowered(artefact: Artefact) -> Lowered:
    formats = {engine: format for format, engine in ENGINES.items()}
    return Lowered(
        artefact.file,
        formats[artefact.engine],
        artefact.precision,
        artefact.content,
        artefact.contract,
    )
