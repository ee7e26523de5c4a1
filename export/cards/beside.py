"""The card that lies beside a network file, or in a recipe's folder."""

from __future__ import annotations

from pathlib import Path

from export.cards.card import Card, read_card
from export.importers.weights import KINDS as WEIGHTS

__all__ = ["CARD", "card_of"]

#: Name of a card.
CARD = "model.toml"


def card_of(path: Path) -> Card | None:
    """Return the card of what a path names; None where it has none.

    Args:
        path: the folder of a recipe; a network with its card beside it; or the weights of one
            whose program (``net.py``) and card lie beside them. The card of another file in the
            same folder is none of this one.

    Raises:
        ConfigError: the card that lies there cannot be read.
    """
    file = (path if path.is_dir() else path.parent) / CARD
    if not file.is_file():
        return None
    card = read_card(file, whole=False)
    belongs = path.is_dir() or path.name == card.source
    of_weights = path.suffix in WEIGHTS and Path(card.source).suffix == ".py"
    return card if belongs or of_weights else None
