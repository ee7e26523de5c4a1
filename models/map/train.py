"""Train the map of the mask on drawn masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.map.net import build
from models.training.covered import CoveredFaces, Crops, drawn_crop
from models.training.loop import Batch, Plan, Recipe, real

__all__ = ["recipe"]


def _loss(net: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy and the Dice distance (Milletari et al. 2016)."""
    pictures, cover = batch
    inner = net.get_submodule("net")
    with torch.autocast(pictures.device.type, torch.bfloat16):
        logits = inner.logits(real(pictures).permute(0, 3, 1, 2))
    logits, truth = logits[:, 0].float(), cover.float() / 255
    guess = torch.sigmoid(logits)
    shared = (guess * truth).sum((1, 2))
    dice = 1 - (2 * shared + 1) / (guess.sum((1, 2)) + truth.sum((1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(logits, truth) + 0.5 * dice.mean()


def recipe(data: Path, *, budget: str) -> Recipe:
    """Return what to train; ``budget`` is ``smoke``, ``small`` or ``full``."""
    limit = 64 if budget == "smoke" else None
    held_back = CoveredFaces(data, "val", "train", limit=limit or 300)
    crops = [
        drawn_crop(held_back, i, np.random.default_rng([9, i]))
        for i in range(len(held_back.images))
    ]
    pictures = torch.from_numpy(np.stack([c[0] for c in crops]))
    truth = torch.from_numpy(np.stack([c[1] for c in crops])) > 0

    def judge(net: nn.Module) -> dict[str, float]:
        device = next(net.parameters()).device
        maps = torch.cat([net(real(p.to(device))).cpu() for p in pictures.split(64)])[..., 0] > 0.5
        both = (maps & truth).sum((1, 2)).float()
        either = (maps | truth).sum((1, 2)).float()
        return {"iou": float((both[either > 0] / either[either > 0]).mean())}

    epochs = {"smoke": 1, "small": 6, "full": 40}[budget]
    faces = CoveredFaces(data, "train", "train", limit=limit)
    return Recipe(
        net=build(),
        plan=Plan(epochs=epochs, batch=32, lr=3e-3),
        samples=Crops(faces, drawn_crop, per_epoch=9000 if budget == "small" else None),
        loss=_loss,
        judge=judge,
    )
