"""Train the editing network to paint what a mask hides: decibels, structure and edges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.edit.net import build
from models.training.covered import CoveredFaces, Crops, covered_crop, hide
from models.training.loop import Batch, Plan, Recipe, real

__all__ = ["recipe"]

#: Of an epoch: faces cut tight, framed faces, faces of scenes. A sixth of all faces are of the
#: latter two, and nearly all that a camera sees.
_SHARES = (0.6, 0.2, 0.2)


def _example(
    faces: CoveredFaces, index: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], ...]:
    """Return the bare face uint8 ``[128, 128, 3]``, the same with its covered pixels grey, and the
    map uint8 ``[128, 128, 1]``.
    """
    image, cover = covered_crop(faces, index, rng)
    return image, hide(image, cover), cover[..., None]


def _paint(net: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return truth, painting (visible pixels put back) and map, ``[N, C, H, W]``, 0..1."""
    image, hidden, cover = batch
    with torch.autocast(image.device.type, torch.bfloat16):
        painted = net(real(hidden), real(cover))
    share = (cover.float() / 255).permute(0, 3, 1, 2)
    # A pixel of byte b means (b + 0.5) / 256: the sigmoid's INT8 steps are 1/256.
    truth = ((image.float() + 0.5) / 256).permute(0, 3, 1, 2)
    return truth, painted.float().permute(0, 3, 1, 2) * share + truth * (1 - share), share


def structure(a: Tensor, b: Tensor) -> Tensor:
    """SSIM (Wang et al. 2004) with a 7x7 mean window at every third place.

    A loss, not a figure: every place would double the time of a step.
    """

    def blur(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 7, 3)

    ma, mb = blur(a), blur(b)
    va, vb = blur(a * a) - ma * ma, blur(b * b) - mb * mb
    cov = blur(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))


def _loss(net: nn.Module, batch: Batch) -> Tensor:
    """Each picture's decibels and structure, which are the figures, and its edges."""
    truth, painted, share = _paint(net, batch)
    error = painted - truth
    # The logarithm makes one decibel worth the same in every picture.
    level = torch.log(error.pow(2).mean((1, 2, 3)) + 1e-5).mean()
    unlike = (1 - structure(painted, truth)).mean()
    edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return 0.1 * level + unlike + edges / share.mean().clamp(min=0.01) * 0.1


def _figures(faces: CoveredFaces, indices: Iterable[int]) -> Callable[[nn.Module], list[float]]:
    """Return what judges a network on some faces: mean decibels and structure."""
    crops = [covered_crop(faces, i, np.random.default_rng([9, i])) for i in indices]
    images = torch.from_numpy(np.stack([c[0] for c in crops]))
    hidden = torch.from_numpy(np.stack([hide(*c) for c in crops]))
    covers = torch.from_numpy(np.stack([c[1] for c in crops]))[..., None]

    def judge(net: nn.Module) -> list[float]:
        device = next(net.parameters()).device
        decibel, alike = [], []
        for batch in zip(images.split(32), hidden.split(32), covers.split(32), strict=True):
            truth, painted, _ = _paint(net, tuple(t.to(device) for t in batch))
            decibel.append(-10 * torch.log10((painted - truth).pow(2).mean((1, 2, 3))))
            alike.append(structure(painted, truth).mean((1, 2, 3)))
        return [float(torch.cat(values).mean()) for values in (decibel, alike)]

    return judge


def recipe(data: Path, *, budget: str) -> Recipe:
    """Return what to train; ``budget`` is ``smoke``, ``small`` or ``full``."""
    limit = 64 if budget == "smoke" else None
    held_back = CoveredFaces(data, "val", "train", limit=limit or 300, surrounded=True)
    tight, framed, scenes = held_back.packs
    on_tight = _figures(held_back, tight)
    on_surrounded = _figures(held_back, (*framed, *scenes))

    def judge(net: nn.Module) -> dict[str, float]:
        names = ("psnr", "ssim", "psnr_surrounded", "ssim_surrounded")
        return dict(zip(names, on_tight(net) + on_surrounded(net), strict=True))

    epochs = {"smoke": 1, "small": 49, "full": 80}[budget]
    faces = CoveredFaces(data, "train", "train", limit=limit, surrounded=True)
    return Recipe(
        net=build(),
        plan=Plan(epochs=epochs, batch=16, lr=2e-3, weight_decay=0.01, judge_every=2),
        samples=Crops(
            faces, _example, per_epoch=9000 if budget == "small" else None, shares=_SHARES
        ),
        loss=_loss,
        judge=judge,
    )
