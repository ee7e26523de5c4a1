"""Measure a finished bundle again and hold it to its own evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.bundle import Bundle
from edge.errors import GateFailed
from export.card import find_cards
from export.verify import Lowered, Peers, figures_of, loss

__all__ = ["check_bundle"]


def check_bundle(
    bundle: Bundle, models: Path, data: Path, *, limit: int | None = None
) -> Iterator[str]:
    """Measure every network of a bundle on its card's evidence data.

    Args:
        bundle: read and checked.
        models: folder of the recipes; their cards say metric, data and what may be lost.
        data: folder of the data packs.
        limit: at most so many pictures or pairs.

    Yields:
        One line a network.

    Raises:
        GateFailed: a figure is worse than the evidence by more than the card's ``max_drop``.
    """
    artefacts = {task: bundle.artefact(task, "tflite", "int8") for task in bundle.tasks}
    lowered = {
        task: Lowered(artefact.file, artefact.content, artefact.contract)
        for task, artefact in artefacts.items()
    }
    with Peers(lowered) as peers:
        for card in find_cards(models):
            if card.task not in artefacts:
                continue
            evidence = artefacts[card.task].evidence
            figures = figures_of(card, lowered[card.task], peers, data, limit)
            measure = figures.measures[evidence.metric]
            yield (
                f"{card.task}: {evidence.metric} {measure.value:.4f} on {figures.data}, "
                f"n {measure.n}; the bundle says {evidence.artefact_value:.4f}, n {evidence.n}"
            )
            if not loss(evidence.metric, evidence.artefact_value, measure.value) <= (
                card.evidence.max_drop
            ):
                raise GateFailed(
                    f"{card.task}: {evidence.metric} is {measure.value:.4f} and the evidence "
                    f"says {evidence.artefact_value:.4f}",
                    hint="make the bundle again with: edge-export make --out BUNDLE",
                    code="export.evidence",
                )
