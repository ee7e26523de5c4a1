"""Train the emotion network on FER2013's pictures with the ten FER+ votes as soft labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.packs import Pack
from edge.geometry import box_matrix, warp
from models.emotion.net import build
from models.training.augment import photometric, shake
from models.training.loop import Batch, Plan, Recipe, real

__all__ = ["LABELS", "recipe"]

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
SIDE_PX = 64
#: Weights of blue, green and red in a grey picture (ITU-R BT.601, as OpenCV has them).
GREY = (0.114, 0.587, 0.299)
_WHOLE = box_matrix((0, 0, 48, 48), SIDE_PX, scale=1.0)


class Faces:
    """FER pictures with votes; ``make`` gives uint8 ``[64, 64, 3]`` and float32 ``[7]``."""

    def __init__(self, pack: Pack, split: str, *, limit: int | None) -> None:
        rows = [r for r in pack.rows(split) if sum(_votes(r)) > 0]
        if split == "val":
            rows = [r for r in rows if r["ferplus_majority"] in LABELS and r["near_dup"] == "0"]
        rows = rows[:limit]
        self.images = [pack.image(r["file"]) for r in rows]
        self.votes = np.array([_votes(r) for r in rows], np.float32)
        self.votes /= self.votes.sum(1, keepdims=True)
        self.majority = [r["ferplus_majority"] for r in rows]

    def epoch(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return the indices of one epoch, in random order."""
        return rng.permutation(len(self.images))

    def make(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.generic], ...]:
        """Return one example; see the class."""
        flip = bool(rng.random() < 0.5)
        matrix = shake(_WHOLE, SIDE_PX, rng, zoom=0.15, shift=0.07, turn_deg=15, flip=flip)
        crop = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
        warp(self.images[index], matrix, crop, replicate=True)
        crop = photometric(crop, rng, strength=0.6)
        if rng.random() < 0.3:  # a hand, a microphone, an edge of the picture
            w, h = rng.integers(8, 28, 2)
            x, y = rng.integers(0, SIDE_PX - w), rng.integers(0, SIDE_PX - h)
            crop[y : y + h, x : x + w] = rng.integers(0, 256, dtype=np.uint8)
        grey = crop @ np.array(GREY, np.float32)
        return np.repeat(grey.astype(np.uint8)[..., None], 3, 2), self.votes[index]

    def plain(self) -> Tensor:
        """Return all pictures as the runtime cuts them, uint8 ``[N, 64, 64, 3]``."""
        out = np.empty((len(self.images), SIDE_PX, SIDE_PX, 3), np.uint8)
        for image, crop in zip(self.images, out, strict=True):
            warp(image, _WHOLE, crop, replicate=True)
        return torch.from_numpy(out)


def _votes(row: Mapping[str, str]) -> list[float]:
    """Votes of the seven classes; a single vote counts as none (Barsoum et al. 2016)."""
    votes = [float(row[label]) for label in LABELS]
    votes = [v if v > 1 else 0.0 for v in votes]
    # A picture that most voters called no face, contempt or unknown teaches nothing.
    others = float(row["unknown"]) + float(row["nf"]) + float(row["contempt"])
    return votes if sum(votes) > others else [0.0] * len(LABELS)


def _loss(net: nn.Module, batch: Batch) -> Tensor:
    pictures, votes = batch
    with torch.autocast(pictures.device.type, torch.bfloat16):
        logits = net(real(pictures))
    soft = votes * 0.95 + 0.05 / len(LABELS)
    return F.cross_entropy(logits.float(), soft)


def grey_stem(net: nn.Module) -> None:
    """Let the first convolution see only the grey of a colour picture, exactly.

    On a grey picture the outputs stay the same, because the weights of ``GREY`` sum to one.
    """
    conv = net.get_submodule("net.features.0.conv")
    assert isinstance(conv, nn.Conv2d)
    with torch.no_grad():
        total = conv.weight.sum(1, keepdim=True)
        conv.weight.copy_(total * torch.tensor(GREY).view(1, 3, 1, 1).to(total))


def recipe(data: Path, *, budget: str) -> Recipe:
    """Return what to train; ``budget`` is ``smoke``, ``small`` or ``full``."""
    limit = 256 if budget == "smoke" else None
    pack = Pack.open(data / "emotions_fer")
    held_back = Faces(pack, "val", limit=limit)
    pictures, labels = held_back.plain(), held_back.majority

    def judge(net: nn.Module) -> dict[str, float]:
        guesses: list[int] = []
        for part in pictures.split(256):
            guesses += net(real(part.to(next(net.parameters()).device))).argmax(1).tolist()
        hits = [LABELS[g] == label for g, label in zip(guesses, labels, strict=True)]
        return {"accuracy": float(np.mean(hits))}

    epochs = {"smoke": 1, "small": 10, "full": 60}[budget]
    return Recipe(
        net=build(),
        plan=Plan(epochs=epochs, batch=64, lr=2e-3, weight_decay=0.03),
        samples=Faces(pack, "train", limit=limit),
        loss=_loss,
        judge=judge,
        finish=grey_stem,
    )
