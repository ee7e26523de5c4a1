"""Measure a finished bundle again and hold it to its own evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.bundle import Bundle
from edge.errors import GateFailed
from export.cards.card import find_cards
from export.gate.metric import figures_of, loss
from export.gate.peers import PEERS, Peers, as_lowered, shipped
from export.program.lowered import ENGINES
from export.progress import Progress, Say

__all__ = ["Checked", "check_bundle"]


@dataclass(frozen=True, slots=True)
class Checked:
    """One artefact, measured again.

    Attributes:
        file: of the artefact.
        metric: of its task.
        value, n, data: measured now, on how many pictures or pairs of what.
        stated, stated_n: what the bundle's evidence says.
    """

    file: str
    metric: str
    value: float
    n: int
    data: str
    stated: float
    stated_n: int

    def __str__(self) -> str:
        """In one line."""
        return (
            f"{self.file}: {self.metric} {self.value:.4f} on {self.data}, n {self.n}; "
            f"the bundle says {self.stated:.4f}, n {self.stated_n}"
        )

    def to_json(self) -> dict[str, object]:
        """Return the fields."""
        return asdict(self)


def check_bundle(
    bundle: Bundle,
    models: Path,
    data: Path,
    *,
    limit: int | None = None,
    say: Say = lambda line: None,
) -> Iterator[Checked]:
    """Measure every artefact of a bundle on its card's evidence data.

    Args:
        bundle: read and checked.
        models: folder of the recipes; their cards say metric, data and what may be lost.
        data: folder of the data packs.
        limit: at most so many pictures or pairs.
        say: is told of every step, see ``export.progress``.

    Yields:
        Every artefact that was measured, the one that fails included.

    Raises:
        GateFailed: a figure is worse than the evidence by more than the card's ``max_drop``.
    """
    cards = {card.task: card for card in find_cards(models)}
    progress = Progress.of(say)
    found = [a for a in bundle.artefacts if a.task in cards and a.engine in ENGINES.values()]
    progress.expect(len(found))
    own = {task: as_lowered(bundle.artefact(task)) for task in bundle.tasks}
    # What it was proven with and does not hold itself is that of the bundle that everybody has.
    missing = {peer for artefact in found for peer in PEERS[artefact.task]} - set(own)
    with Peers({**(shipped(missing) if missing else {}), **own}) as peers:
        for artefact in found:
            card, evidence = cards[artefact.task], artefact.evidence
            with progress.step(f"{artefact.file}: {evidence.metric} on {card.evidence.pack}"):
                figures = figures_of(card, as_lowered(artefact), peers, data, limit)
            measure = figures.measures[evidence.metric]
            yield Checked(
                artefact.file, evidence.metric, measure.value, measure.n, figures.data,
                evidence.artefact_value, evidence.n,
            )  # fmt: skip
            if not loss(evidence.metric, evidence.artefact_value, measure.value) <= (
                card.evidence.max_drop
            ):
                raise GateFailed(
                    f"{artefact.file}: {evidence.metric} is {measure.value:.4f} and the evidence "
                    f"says {evidence.artefact_value:.4f}",
                    hint="make the bundle again with: edge-export make --out BUNDLE",
                    code="export.evidence",
                )
