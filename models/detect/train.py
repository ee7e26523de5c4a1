"""Train the detector: one guess a cell, quality focal loss, GIoU boxes, five points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.packs import Pack
from edge.geometry import iou_matrix, letterbox_matrix, non_max_suppression, warp
from models.detect.net import STRIDES, build
from models.detect.scenes import FACE, IGNORE, SIDE_PX, Scene, Scenes, read_scenes
from models.training.loop import Batch, Plan, Recipe, real

__all__ = ["recipe"]

#: Faces whose longer side (pixels of the input) lies in this range belong to the stride; the
#: ranges overlap, so that no size falls between two grids.
RANGES = {8: (0.0, 44.0), 16: (34.0, 110.0), 32: (85.0, 1e9)}


def cells() -> tuple[Tensor, Tensor]:
    """Return the centres of all cells ``[C, 2]`` in pixels and their strides ``[C, 1]``."""
    centres, strides = [], []
    for stride in STRIDES:
        n = SIDE_PX // stride
        y, x = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
        centres.append((torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((n * n, 1), float(stride)))
    return torch.cat(centres), torch.cat(strides)


def decode(box: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Turn raw outputs of all cells into corners ``[.., 4]`` and points ``[.., 5, 2]``, pixels."""
    centres, strides = (t.to(box.device) for t in cells())
    middle = centres + box[..., :2] * strides
    size = torch.exp(box[..., 2:].clamp(-4, 5)) * strides
    corners = torch.cat([middle - size / 2, middle + size / 2], -1)
    offsets = points.reshape(*points.shape[:-1], 5, 2) * strides[..., None]
    return corners, centres[:, None] + offsets


def assign(boxes: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
    """Give each cell the face it answers for.

    A cell near the middle of a face whose size suits the cell's stride is positive; of several
    such faces it takes the smallest.

    Args:
        boxes: ``[B, M, 4]`` left, top, width, height.
        kinds: ``[B, M]``.

    Returns:
        Index of the face ``[B, C]`` (-1: none) and whether the cell's score counts ``[B, C]``.
    """
    centres, strides = (t.to(boxes.device) for t in cells())
    low, size = boxes[:, None, :, :2], boxes[:, None, :, 2:]
    away = (centres[None, :, None] - (low + size / 2)).abs()
    radius = torch.minimum(1.2 * strides[None, :, None], 0.3 * size).maximum(
        0.51 * strides[None, :, None]
    )
    longer = size.amax(-1)
    lowest = torch.tensor([RANGES[int(s)][0] for s in strides[:, 0]], device=boxes.device)
    highest = torch.tensor([RANGES[int(s)][1] for s in strides[:, 0]], device=boxes.device)
    fits = (longer >= lowest[None, :, None]) & (longer < highest[None, :, None])
    positive = (away < radius).all(-1) & fits & (kinds[:, None] == FACE)
    area = torch.where(positive, size.prod(-1), torch.inf)
    best, index = area.min(-1)
    index = torch.where(best.isfinite(), index, -1)
    inside = (away < size / 2).all(-1) & (kinds[:, None] == IGNORE)
    return index, (index >= 0) | ~inside.any(-1)


def loss(net: nn.Module, batch: Batch) -> Tensor:
    """Score (Li et al. 2020, quality focal loss), box (GIoU) and points of one batch."""
    pictures, boxes, kinds, points = batch
    inner = net.get_submodule("net")
    with torch.autocast(pictures.device.type, torch.bfloat16):
        levels = inner.logits(real(pictures).permute(0, 3, 1, 2))
    score, box, point = (torch.cat([level[i] for level in levels], 1).float() for i in range(3))
    index, counts = assign(boxes, kinds)
    positive = index >= 0
    corners, places = decode(box, point)
    where = index.clamp(min=0)
    truth = torch.gather(boxes, 1, where[..., None].expand(-1, -1, 4))[positive]
    truth = torch.cat([truth[:, :2], truth[:, :2] + truth[:, 2:]], 1)
    overlap, giou = _giou(corners[positive], truth)
    target = torch.zeros_like(score[..., 0])
    target[positive] = overlap.detach().clamp(0.1, 1).to(target.dtype)
    logit = score[..., 0]
    focus = (target - torch.sigmoid(logit)).abs() ** 2
    per_cell = F.binary_cross_entropy_with_logits(logit, target, reduction="none") * focus
    number = positive.sum().clamp(min=1)
    score_loss = (per_cell * counts).sum() / number
    box_loss = (1 - giou).sum() / number
    wanted = torch.gather(points, 1, where[..., None, None].expand(-1, -1, 5, 2))[positive]
    known = wanted.isfinite().all(-1).all(-1)
    size = (truth[:, 2:] - truth[:, :2]).amax(-1)[:, None, None]
    error = ((places[positive] - wanted) / size)[known]
    point_loss = F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="none")
    point_loss = point_loss.mean((1, 2)).sum() / known.sum().clamp(min=1)
    return score_loss + 2.0 * box_loss + 10.0 * point_loss


def _giou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return IoU and generalised IoU (Rezatofighi et al. 2019) of matching corners ``[N, 4]``."""
    inter = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    inter_area = inter.prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter_area
    iou = inter_area / union.clamp(min=1e-6)
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)


def found(net: nn.Module, scene: Scene, *, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes ``[N, 4]`` (left, top, width, height) and scores of one scene's faces."""
    image = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
    matrix = letterbox_matrix(scene.image.shape[0], scene.image.shape[1], SIDE_PX, SIDE_PX)
    warp(scene.image, matrix, image)
    flat = net(real(torch.from_numpy(image)[None].to(next(net.parameters()).device)))
    score, box, points = (torch.cat(flat[i::3], 1)[0].cpu() for i in range(3))
    corners, _ = decode(box, points)
    keep = score[:, 0] > threshold
    xywh = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)[keep].numpy()
    kept = non_max_suppression(xywh, score[keep, 0].numpy(), iou=0.45, limit=500)
    return xywh[kept] / matrix[0, 0], score[keep, 0].numpy()[kept]


def _judge(net: nn.Module, scenes: list[Scene]) -> dict[str, float]:
    """Recall and precision at IoU 0.5, ignoring what the pack ignores."""
    hits = faces = false = 0
    for scene in scenes:
        boxes, _ = found(net, scene, threshold=0.4)
        real_ones = scene.boxes[scene.kinds == FACE]
        ignored = scene.boxes[scene.kinds == IGNORE]
        overlap = iou_matrix(boxes, real_ones)
        hits += int((overlap >= 0.5).any(0).sum())
        faces += len(real_ones)
        missed = ~(overlap >= 0.5).any(1)
        if len(ignored):
            missed &= ~(iou_matrix(boxes, ignored) >= 0.3).any(1)
        false += int(missed.sum())
    return {"recall": hits / max(1, faces), "precision": hits / max(1, hits + false)}


def recipe(data: Path, *, budget: str) -> Recipe:
    """Return what to train; ``budget`` is ``smoke``, ``small`` or ``full``."""
    limit = 64 if budget == "smoke" else None
    held_back = read_scenes(Pack.open(data / "detect_train"), "val", limit=limit)
    epochs = {"smoke": 1, "small": 50, "full": 160}[budget]
    return Recipe(
        net=build(),
        plan=Plan(epochs=epochs, batch=16, lr=2e-3, weight_decay=0.02, judge_every=2),
        samples=Scenes(data, repeats=2, limit=limit),
        loss=loss,
        judge=lambda net: _judge(net, held_back),
    )
