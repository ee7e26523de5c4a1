"""Train the identity network in a teacher's embedding space, on bare faces."""

from __future__ import annotations

from pathlib import Path

from models.identity.net import build
from models.training.distil import FacesAndTargets, likeness, loss
from models.training.loop import Plan, Recipe

__all__ = ["recipe"]


def recipe(data: Path, *, budget: str, teachers: Path = Path("weights")) -> Recipe:
    """Return what to train; ``budget`` is ``smoke``, ``small`` or ``full``."""
    limit = 128 if budget == "smoke" else None
    held_back = FacesAndTargets(data, teachers, "val", masked=0.0, limit=limit)
    pictures = held_back.plain(seed=0)
    epochs = {"smoke": 1, "small": 15, "full": 80}[budget]
    return Recipe(
        net=build(),
        plan=Plan(epochs=epochs, batch=64, lr=3e-3, weight_decay=0.03),
        samples=FacesAndTargets(data, teachers, "train", masked=0.0, limit=limit),
        loss=loss,
        judge=lambda net: likeness(net, pictures, held_back.targets),
    )
