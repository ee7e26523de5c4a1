"""Learn a face embedding from somebody else's: the teacher's space, our own network.

The teacher sees each face well aligned and bare; the student sees it turned, lit, blurred and, for
the masked route, under a drawn mask, and must give the same direction.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.packs import Pack
from edge.errors import MissingInput
from edge.geometry import crop_template, similarity_matrix, warp
from models.training.augment import photometric, shake
from models.training.loop import Batch, real
from models.training.masks import Masks

__all__ = ["REVISION", "SIDE_PX", "FacesAndTargets", "likeness", "loss"]

#: Every network that learns from this teacher with this recipe shares one space.
REVISION = "mobilefacenet-foamliu/1"
TEACHER = Path("mobilefacenet-foamliu") / "MobileFaceNet.onnx"
TEACHER_SHA256 = "b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507"
SIDE_PX = 112
_TEMPLATE = crop_template(SIDE_PX)


class FacesAndTargets:
    """Faces of the pack ``faces`` and the teacher's direction for each.

    ``make`` gives uint8 ``[112, 112, 3]`` BGR and float32 ``[128]`` of length one.

    Args:
        data: folder of the data packs.
        teachers: folder of other people's networks.
        split: ``train`` or ``val``.
        masked: share of the faces that wear a drawn mask.
        per_epoch: faces an epoch; all where None.
        limit: use only so many faces.
    """

    def __init__(
        self,
        data: Path,
        teachers: Path,
        split: str,
        *,
        masked: float,
        per_epoch: int | None = None,
        limit: int | None = None,
    ) -> None:
        pack = Pack.open(data / "faces")
        names = [row["file"] for row in pack.rows(split)][:limit]
        self._images = [pack.image(name) for name in names]
        self._points = [pack.points5(name) for name in names]
        self._masks = Masks(data / "mask_templates", "train") if masked else None
        self._masked = masked
        self._per_epoch = per_epoch or len(names)
        self.targets = _teach(teachers / TEACHER, self._images, self._points)

    def epoch(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return the indices of one epoch, in random order."""
        return rng.permutation(len(self._images))[: self._per_epoch]

    def make(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.generic], ...]:
        """Return one example; see the class."""
        image, points = self._images[index], self._points[index]
        if self._masks is not None and rng.random() < self._masked:
            incorrect = bool(rng.random() < 0.12)
            image = self._masks.draw(image, points, rng, incorrect=incorrect).image_bgr
        matrix = shake(
            similarity_matrix(points, _TEMPLATE),
            SIDE_PX,
            rng,
            zoom=0.07,
            shift=0.03,
            turn_deg=6,
            flip=bool(rng.random() < 0.5),
        )
        crop = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
        warp(image, matrix, crop, replicate=bool(rng.random() < 0.5))
        return photometric(crop, rng, strength=0.7), self.targets[index]

    def plain(self, seed: int) -> Tensor:
        """Return all faces as the runtime cuts them, masked as ``masked`` says, uint8."""
        rng = np.random.default_rng(seed)
        out = np.empty((len(self._images), SIDE_PX, SIDE_PX, 3), np.uint8)
        for image, points, crop in zip(self._images, self._points, out, strict=True):
            if self._masks is not None and rng.random() < self._masked:
                image = self._masks.draw(image, points, rng).image_bgr
            warp(image, similarity_matrix(points, _TEMPLATE), crop)
        return torch.from_numpy(out)


def _teach(
    path: Path, images: list[NDArray[np.uint8]], points: list[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return the teacher's directions, the mean of a face and its mirror image."""
    if not path.is_file():
        raise MissingInput(
            f"{path}: the teacher is not there", hint="name its folder with --teachers DIR"
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != TEACHER_SHA256:
        raise MissingInput(f"{path}: not the teacher that the recipe names")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    out = np.empty((len(images), 128), np.float32)
    crop = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
    for i, (image, five) in enumerate(zip(images, points, strict=True)):
        warp(image, similarity_matrix(five, _TEMPLATE), crop)
        rgb = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.float32)
        planes = ((rgb - 127.5) / 127.5).transpose(2, 0, 1)[None]
        total = np.zeros(128, np.float32)
        for picture in (planes, planes[..., ::-1]):
            (embedding,) = session.run(None, {"input0": np.ascontiguousarray(picture)})
            total += embedding[0] / np.linalg.norm(embedding[0])
        out[i] = total / np.linalg.norm(total)
    return out


def loss(net: nn.Module, batch: Batch) -> Tensor:
    """Distance from the teacher's direction, and from its similarities within the batch.

    The second part is the relational term of Tung and Mori (ICCV 2019) on cosines: it weighs the
    order among faces, which verification needs, above the absolute direction.
    """
    pictures, targets = batch
    with torch.autocast(pictures.device.type, torch.bfloat16):
        embeddings = net(real(pictures))
    unit = F.normalize(embeddings.float(), dim=1)
    direction = (1 - (unit * targets).sum(1)).mean()
    relation = (unit @ unit.T - targets @ targets.T).pow(2).mean()
    return direction + 5.0 * relation


def likeness(net: nn.Module, pictures: Tensor, targets: NDArray[np.float32]) -> dict[str, float]:
    """Mean cosine to the teacher, and how often the teacher's nearest face is the right one."""
    parts = [net(real(part.to(next(net.parameters()).device))) for part in pictures.split(128)]
    unit = F.normalize(torch.cat(parts).float().cpu(), dim=1)
    cosines = unit @ torch.from_numpy(targets).T
    hits = cosines.argmax(1) == torch.arange(len(unit))
    return {"cosine": float(cosines.diagonal().mean()), "rank1": float(hits.float().mean())}
