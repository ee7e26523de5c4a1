"""Train the masked route: the identity network goes on, now mostly under drawn masks.

It starts from the weights of ``models/identity`` and keeps the same targets, so that an embedding
of a masked face compares with one of a bare face.
"""

from __future__ import annotations

from pathlib import Path

from models.identity_masked.net import build
from models.training.distil import FacesAndTargets, likeness, loss
from models.training.loop import Plan, Recipe
from models.training.weights import load_state

__all__ = ["recipe"]

START = Path(__file__).resolve().parent.parent / "identity" / "weights.safetensors"


def recipe(data: Path, *, budget: str, teachers: Path = Path("weights")) -> Recipe:
    """Return what to train; ``budget`` is ``smoke``, ``small`` or ``full``."""
    limit = 128 if budget == "smoke" else None
    net = build()
    if START.is_file():
        load_state(net, START)
    held_back = FacesAndTargets(data, teachers, "val", masked=1.0, limit=limit)
    pictures = held_back.plain(seed=0)
    epochs = {"smoke": 1, "small": 8, "full": 60}[budget]
    per_epoch = 11000 if budget == "small" else None
    samples = FacesAndTargets(
        data, teachers, "train", masked=0.85, per_epoch=per_epoch, limit=limit
    )
    return Recipe(
        net=net,
        plan=Plan(epochs=epochs, batch=64, lr=1.5e-3, weight_decay=0.03),
        samples=samples,
        loss=loss,
        judge=lambda trained: likeness(trained, pictures, held_back.targets),
    )
