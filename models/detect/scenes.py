"""Training scenes for the detector: photographs cut at random, and faces laid into them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.packs import Pack
from edge.geometry import transform_points, warp
from models.training.augment import flip_points, photometric
from models.training.boxes import box_of_points
from models.training.masks import Masks

__all__ = ["FACE", "IGNORE", "MAX_FACES", "SIDE_PX", "Scene", "Scenes", "read_scenes"]

SIDE_PX = 320
#: Most boxes of one training picture.
MAX_FACES = 40
#: What a row of the targets is; 0 is an empty row.
FACE, IGNORE = 1, 2
#: Smallest face that counts, shorter side in pixels of the network's input.
MIN_FACE_PX = 7.0


@dataclass(frozen=True)
class Scene:
    """A photograph and its faces.

    Attributes:
        image: uint8 ``[H, W, 3]`` BGR.
        boxes: float64 ``[N, 4]`` left, top, width, height.
        kinds: int64 ``[N]``, ``FACE`` or ``IGNORE``.
        points: float64 ``[N, 5, 2]``, not a number where unknown.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float64]
    kinds: NDArray[np.int64]
    points: NDArray[np.float64]


def read_scenes(pack: Pack, split: str, *, limit: int | None = None) -> list[Scene]:
    """Read the pack ``detect_train``: one scene a picture."""
    arrays = pack.arrays("points5")
    points_of = {int(row): p for row, p in zip(arrays["row"], arrays["points"], strict=True)}
    grouped: dict[str, list[tuple[list[float], int, NDArray[np.float64]]]] = {}
    for index, row in enumerate(pack.rows()):
        if row["split"] != split:
            continue
        faces = grouped.setdefault(row["file"], [])
        if row["x"]:
            points = points_of.get(index, np.full((5, 2), np.nan))
            kind = IGNORE if row["ignore"] == "1" else FACE
            faces.append(([float(row[k]) for k in "xywh"], kind, points))
    return [
        Scene(
            pack.image(name),
            np.array([f[0] for f in faces], np.float64).reshape(-1, 4),
            np.array([f[1] for f in faces], np.int64),
            np.array([f[2] for f in faces], np.float64).reshape(-1, 5, 2),
        )
        for name, faces in list(grouped.items())[:limit]
    ]


class Scenes:
    """Random training pictures.

    ``make`` gives uint8 ``[320, 320, 3]``, boxes float32 ``[M, 4]``, kinds int64 ``[M]`` and points
    float32 ``[M, 5, 2]`` (not a number where unknown), in pixels of the picture.
    """

    def __init__(self, data: Path, *, repeats: int, limit: int | None) -> None:
        self._scenes = read_scenes(Pack.open(data / "detect_train"), "train", limit=limit)
        self._empty = [i for i, s in enumerate(self._scenes) if len(s.boxes) == 0]
        self._faces = Pack.open(data / "faces")
        self._names = [r["file"] for r in self._faces.rows("train")]
        self._masks = Masks(data / "mask_templates", "train")
        self._repeats = repeats

    def epoch(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return the indices of one epoch, in random order."""
        return rng.permutation(np.repeat(np.arange(len(self._scenes)), self._repeats))

    def make(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.generic], ...]:
        """Return one example; see the class."""
        scene = self._cut(self._scenes[index], rng)
        if rng.random() < (0.4 if len(scene.boxes) == 0 else 0.25):
            for _ in range(int(rng.integers(1, 4))):
                scene = self._lay(scene, rng)
        image = photometric(scene.image, rng, strength=0.7)
        boxes = np.zeros((MAX_FACES, 4), np.float32)
        kinds = np.zeros(MAX_FACES, np.int64)
        points = np.full((MAX_FACES, 5, 2), np.nan, np.float32)
        count = min(MAX_FACES, len(scene.boxes))
        boxes[:count], kinds[:count] = scene.boxes[:count], scene.kinds[:count]
        points[:count] = scene.points[:count]
        return image, boxes, kinds, points

    def _cut(self, scene: Scene, rng: np.random.Generator) -> Scene:
        """Zoom, shift, mirror and turn a little; keep at least one face where there is one."""
        height, width = scene.image.shape[:2]
        fit = SIDE_PX / max(height, width)
        zoom = fit * float(np.exp(rng.uniform(np.log(0.6), np.log(2.6))))
        faces = np.flatnonzero(scene.kinds == FACE)
        if len(faces) and rng.random() < 0.8:
            box = scene.boxes[int(rng.choice(faces))]
            # No face beyond the picture: the side at most 0.9 of the input, where zoomed.
            zoom = min(zoom, 0.9 * SIDE_PX / max(box[2:]))
            middle = box[:2] + box[2:] / 2
            room = np.maximum(0, SIDE_PX / 2 - box[2:] * zoom / 2)
            offset = SIDE_PX / 2 - middle * zoom + rng.uniform(-1, 1, 2) * room
        else:
            spare = SIDE_PX - np.array([width, height]) * zoom
            offset = spare * rng.random(2)
        angle = np.deg2rad(rng.normal(0, 6))
        cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
        matrix = np.array([[cos, -sin, offset[0]], [sin, cos, offset[1]]])
        flip = bool(rng.random() < 0.5)
        if flip:
            matrix[0] = -matrix[0] + np.array([0, 0, SIDE_PX - 1])
        image = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
        warp(scene.image, matrix, image)
        boxes = _turned_boxes(scene.boxes, matrix)
        points = transform_points(matrix, scene.points).reshape(-1, 5, 2)
        if flip:
            points = points[:, [1, 0, 2, 4, 3]]
        return _visible(Scene(image, boxes, scene.kinds.copy(), points))

    def _lay(self, scene: Scene, rng: np.random.Generator) -> Scene:
        """Lay one cut-out face, half of them masked, where no face is yet."""
        name = self._names[int(rng.integers(len(self._names)))]
        chip, points = self._faces.image(name), self._faces.points5(name).astype(np.float64)
        if rng.random() < 0.55:
            drawn = self._masks.draw(
                chip, points.astype(np.float32), rng, incorrect=bool(rng.random() < 0.2)
            )
            chip = drawn.image_bgr
        if rng.random() < 0.5:
            chip = np.ascontiguousarray(chip[:, ::-1])
            points = flip_points(points * (-1, 1) + (chip.shape[1] - 1, 0))
        face_px = float(np.exp(rng.uniform(np.log(14), np.log(260))))
        box = box_of_points(points)
        zoom = face_px / box[3]
        angle = np.deg2rad(rng.normal(0, 12))
        linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = rng.uniform(0.4 * face_px, np.maximum(0.41 * face_px, SIDE_PX - 0.4 * face_px), 2)
        middle = box[:2] + box[2:] / 2
        matrix = np.hstack([linear, (centre - linear @ middle)[:, None]])
        placed = box_of_points(transform_points(matrix, points))
        if any(_overlap(placed, other) > 0.02 for other in scene.boxes):
            return scene
        alpha = _soft_edge(*chip.shape[:2])
        image = np.empty_like(scene.image)
        warp(chip, matrix, image)
        mask = np.empty(scene.image.shape[:2], np.uint8)
        warp(alpha, matrix, mask)
        share = mask[..., None].astype(np.float32) / 255
        mixed = (scene.image * (1 - share) + image * share + 0.5).astype(np.uint8)
        return Scene(
            mixed,
            np.vstack([scene.boxes, placed[None]]),
            np.append(scene.kinds, FACE),
            np.concatenate([scene.points, transform_points(matrix, points)[None]]),
        )


def _turned_boxes(boxes: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move boxes by their middle and scale; a small turn does not widen them."""
    middle = transform_points(matrix, boxes[:, :2] + boxes[:, 2:] / 2)
    size = boxes[:, 2:] * np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return np.hstack([middle - size / 2, size])


def _visible(scene: Scene) -> Scene:
    """Drop faces outside, and ignore those cut by the border or too small."""
    low = np.clip(scene.boxes[:, :2], 0, SIDE_PX)
    high = np.clip(scene.boxes[:, :2] + scene.boxes[:, 2:], 0, SIDE_PX)
    area = np.maximum(scene.boxes[:, 2:].prod(1), 1e-6)
    share = np.clip(high - low, 0, None).prod(1) / area
    small = scene.boxes[:, 2:].min(1) < MIN_FACE_PX if len(scene.boxes) else np.zeros(0, bool)
    kinds = np.where((share < 0.6) | small, IGNORE, scene.kinds)
    keep = share > 0.05
    return Scene(scene.image, scene.boxes[keep], kinds[keep], scene.points[keep])


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the intersection as a share of the smaller box."""
    low = np.maximum(a[:2], b[:2])
    high = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    smaller = max(1e-6, min(a[2] * a[3], b[2] * b[3]))
    return float(np.clip(high - low, 0, None).prod() / smaller)


def _soft_edge(height: int, width: int) -> NDArray[np.uint8]:
    """An oval that fades out, so that the cut-out's border is no sign of a face."""
    alpha = np.zeros((height, width), np.uint8)
    axes = (int(width * 0.47), int(height * 0.49))
    cv2.ellipse(alpha, (width // 2, height // 2), axes, 0, 0, 360, 255, -1)
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), width * 0.03), np.uint8)
