"""Train the mask state on photographs and on drawn masks, worn well and badly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.packs import Pack
from edge.geometry import box_matrix, warp
from models.mask.net import build
from models.training.augment import photometric, shake
from models.training.boxes import box_of_points
from models.training.loop import Batch, Plan, Recipe, real
from models.training.masks import Masks

__all__ = ["LABELS", "SCALE", "recipe"]

LABELS = ("masked", "unmasked", "incorrect")
SIDE_PX = 96
#: Side of the crop against the longer side of the face's box.
SCALE = 1.2
#: How often a picture of the pack ``mask3`` comes in an epoch, by label and whether it is real.
_OFTEN = {
    ("masked", "1"): 1.0,
    ("masked", "0"): 1.0,
    ("unmasked", "1"): 2.0,
    ("incorrect", "1"): 8.0,
    ("incorrect", "0"): 1.0,
}
#: Faces of the pack ``faces`` an epoch: bare, under a drawn mask, under one worn badly.
_DRAWN = {"unmasked": 2200, "masked": 1500, "incorrect": 1500}


class Crops:
    """``make`` gives uint8 ``[96, 96, 3]`` BGR and the label's index, int64."""

    def __init__(self, data: Path, *, limit: int | None) -> None:
        pack = Pack.open(data / "mask3")
        rows = pack.rows("train")[:limit]
        self._pictures = [pack.image(r["file"]) for r in rows]
        self._boxes = [np.array([float(r[k]) for k in "xywh"]) for r in rows]
        self._labels = [r["label"] for r in rows]
        self._often = np.array([_OFTEN[r["label"], r["real"]] for r in rows])
        self._faces = Pack.open(data / "faces")
        self._names = [r["file"] for r in self._faces.rows("train")]
        self._masks = Masks(data / "mask_templates", "train")
        self._drawn = {k: v if limit is None else limit for k, v in _DRAWN.items()}

    def epoch(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Indices below the pack's size are its pictures; the others say what is drawn."""
        whole = np.floor(self._often + rng.random(len(self._often))).astype(int)
        pack = np.repeat(np.arange(len(self._often)), whole)
        kinds = [
            np.full(count, len(self._often) + LABELS.index(label))
            for label, count in self._drawn.items()
        ]
        return rng.permutation(np.concatenate([pack, *kinds]))

    def make(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.generic], ...]:
        """Return one example; see the class."""
        if index < len(self._pictures):
            picture, box = self._pictures[index], self._boxes[index]
            label = self._labels[index]
        else:
            label = LABELS[index - len(self._pictures)]
            picture, box = self._draw(label, rng)
        # Sometimes much looser: a picture in which no face is found is taken as the face itself.
        loose = rng.uniform(1.0, 1.7) if rng.random() < 0.3 else 1.0
        matrix = shake(
            box_matrix(box, SIDE_PX, scale=SCALE * loose),
            SIDE_PX,
            rng,
            zoom=0.2,
            shift=0.08,
            turn_deg=15,
            flip=bool(rng.random() < 0.5),
        )
        crop = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
        warp(picture, matrix, crop, replicate=True)
        return photometric(crop, rng, strength=0.9), np.array(LABELS.index(label), np.int64)

    def _draw(
        self, label: str, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        name = self._names[int(rng.integers(len(self._names)))]
        picture, points = self._faces.image(name), self._faces.points5(name)
        if label != "unmasked":
            picture = self._masks.draw(
                picture, points, rng, incorrect=label == "incorrect"
            ).image_bgr
        return picture, box_of_points(points.astype(np.float64))


def _loss(net: nn.Module, batch: Batch) -> Tensor:
    pictures, labels = batch
    with torch.autocast(pictures.device.type, torch.bfloat16):
        logits = net(real(pictures))
    return F.cross_entropy(logits.float(), labels, label_smoothing=0.05)


def recipe(data: Path, *, budget: str) -> Recipe:
    """Return what to train; ``budget`` is ``smoke``, ``small`` or ``full``."""
    limit = 64 if budget == "smoke" else None
    pack = Pack.open(data / "mask3")
    rows = [r for r in pack.rows("val") if r["real"] == "1"][:limit]
    pictures = np.empty((len(rows), SIDE_PX, SIDE_PX, 3), np.uint8)
    for row, crop in zip(rows, pictures, strict=True):
        box = [float(row[k]) for k in "xywh"]
        warp(pack.image(row["file"]), box_matrix(box, SIDE_PX, scale=SCALE), crop, replicate=True)
    labels = torch.tensor([LABELS.index(r["label"]) for r in rows])

    def judge(net: nn.Module) -> dict[str, float]:
        parts = torch.from_numpy(pictures).split(128)
        device = next(net.parameters()).device
        logits = torch.cat([net(real(p.to(device))) for p in parts]).cpu()
        two = labels < 2
        return {
            "accuracy": float((logits[two, :2].argmax(1) == labels[two]).float().mean()),
            "accuracy3": float((logits.argmax(1) == labels).float().mean()),
        }

    epochs = {"smoke": 1, "small": 20, "full": 80}[budget]
    return Recipe(
        net=build(),
        plan=Plan(epochs=epochs, batch=64, lr=3e-3, weight_decay=0.03),
        samples=Crops(data, limit=limit),
        loss=_loss,
        judge=judge,
    )
