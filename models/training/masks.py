"""Draw masks on faces: the six points of a template meet the six points of a face.

Works from five points a face: a mean 3-D face is fitted to them (weak perspective), and its
outline says where the mask's corners belong. Where no templates are at hand, plain masks are
drawn from polygons.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError, MissingInput

__all__ = ["Drawn", "Masks", "face_outline", "five_points"]

Picture = NDArray[np.uint8]

#: Indices in the 68 points of the corners a..f of ``mask_templates`` (its README): b lies between
#: 28 and 29 and is made apart.
_JAW = {"a": 2, "c": 14, "d": 5, "e": 8, "f": 11}
#: 68-point indices whose means are the five points: eyes, nose tip, mouth corners.
_FIVE = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47), (30,), (48,), (54,))


@dataclass(frozen=True)
class Drawn:
    """A face with a mask on.

    Attributes:
        image_bgr: uint8 ``[H, W, 3]``.
        cover_u8: uint8 ``[H, W]``, 255 where the mask hides the face.
        state: ``masked`` or ``incorrect``.
    """

    image_bgr: Picture
    cover_u8: Picture
    state: str


@dataclass(frozen=True)
class _Template:
    image_bgra: Picture
    points: NDArray[np.float32]
    recolour: bool


class Masks:
    """The templates and textures of one split of the pack ``mask_templates``.

    Args:
        folder: of the pack.
        split: ``train`` or ``test``; pictures for training use only the first.

    Raises:
        MissingInput: the pack is not there.
        DataError: its index or a picture is damaged.
    """

    def __init__(self, folder: Path, split: str) -> None:
        index = folder / "templates.json"
        if not index.is_file():
            raise MissingInput(f"{index}: not there", hint="name the data packs with --data DIR")
        listed = json.loads(index.read_text())
        self._shape = _mean_face(folder.parent / "landmarks68" / "template3d68.npz")
        self._templates = [
            _Template(
                _read(folder / item["file"]),
                np.array(item["points"], np.float32),
                bool(item["recolour"]),
            )
            for item in listed["templates"]
            if item["split"] == split and item["view"] == "front"
        ]
        self._textures = [
            _read(folder / item["file"])[..., :3]
            for item in listed["textures"]
            if item["split"] == split
        ]

    def draw(
        self,
        image: Picture,
        points_5x2: NDArray[np.float32],
        rng: np.random.Generator,
        *,
        incorrect: bool = False,
    ) -> Drawn:
        """Draw a random mask on a face.

        Args:
            image: uint8 ``[H, W, 3]`` BGR.
            points_5x2: the face's five points in pixels of the image.
            incorrect: leave the nose, or nose and mouth, outside.

        Returns:
            New memory; ``image`` stays as it is.
        """
        template, corners = self._place(points_5x2, rng, incorrect=incorrect)
        spread = float(np.linalg.norm(corners[0] - corners[2]))
        laid = _lay(self._dress(template, rng), template.points, corners, image.shape)
        alpha = laid[..., 3:] / 255.0
        cloth = _light(laid[..., :3].astype(np.float32), alpha[..., 0], image, rng)
        shade = cv2.GaussianBlur(alpha, (0, 0), 0.04 * spread)[..., None]
        strength = rng.uniform(0.0, 0.35)
        below = image * (1 - strength * shade * (1 - alpha))
        mixed = below * (1 - alpha) + cloth * alpha
        result = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
        return Drawn(result, _cover(alpha[..., 0]), "incorrect" if incorrect else "masked")

    def cover(
        self, shape: tuple[int, ...], points_5x2: NDArray[np.float32], rng: np.random.Generator
    ) -> Picture:
        """Return only where a random mask would hide the face, uint8 ``[H, W]``, 255 or 0."""
        template, corners = self._place(points_5x2, rng, incorrect=bool(rng.random() < 0.1))
        laid = _lay(template.image_bgra[..., 3:], template.points, corners, shape)
        return _cover(laid / 255.0)

    def _place(
        self, points_5x2: NDArray[np.float32], rng: np.random.Generator, *, incorrect: bool
    ) -> tuple[_Template, NDArray[np.float64]]:
        """Choose a template and where its six corners come to lie, float64 ``[6, 2]``."""
        template = self._templates[int(rng.integers(len(self._templates)))]
        corners = mask_corners(face_outline(points_5x2, self._shape))
        if incorrect:
            corners = _slip(corners, points_5x2, rng)
        spread = float(np.linalg.norm(corners[0] - corners[2]))
        return template, corners + rng.normal(0, 0.018 * spread, corners.shape)

    def _dress(self, template: _Template, rng: np.random.Generator) -> Picture:
        """Give a grey template a colour or a cloth, others another shade."""
        picture = template.image_bgra
        pixels = picture[..., :3].astype(np.float32)
        choice = rng.random()
        if (template.recolour and choice < 0.6) or choice < 0.15:
            grey = pixels.mean(2, keepdims=True)
            grey = grey / max(1.0, float(np.percentile(grey[picture[..., 3] > 128], 90)))
            if self._textures and rng.random() < 0.45:
                cloth = self._textures[int(rng.integers(len(self._textures)))]
                turned = np.rot90(cloth, int(rng.integers(4)))
                colour = cv2.resize(np.ascontiguousarray(turned), picture.shape[1::-1]).astype(
                    np.float32
                )
            else:
                colour = _cloth_colour(rng)
            pixels = grey * colour
        pixels = np.clip(pixels * rng.uniform(0.75, 1.15), 0, 255)
        return np.dstack([pixels.astype(np.uint8), picture[..., 3]])


def _lay(
    picture: Picture,
    points: NDArray[np.float32],
    corners: NDArray[np.float64],
    shape: tuple[int, ...],
) -> NDArray[np.float32]:
    """Warp a template's channels so that its points meet the corners, float32 ``[H, W, ...]``."""
    homography, _ = cv2.findHomography(points, corners.astype(np.float32))
    if homography is None:
        raise DataError("a mask template's points lie on one line", code="masks.template")
    # A template is larger than most faces: average it down first, or it flickers.
    spread = float(np.linalg.norm(corners[0] - corners[2]))
    shrink = min(1.0, 1.5 * spread / max(1.0, float(np.ptp(points[:, 0]))))
    small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    back = np.diag([picture.shape[1] / small.shape[1], picture.shape[0] / small.shape[0], 1.0])
    laid = cv2.warpPerspective(small.astype(np.float32), homography @ back, (shape[1], shape[0]))
    return np.asarray(laid, np.float32)


def _cover(alpha: NDArray[np.float32]) -> Picture:
    return np.where(alpha > 0.3, 255, 0).astype(np.uint8)


def _cloth_colour(rng: np.random.Generator) -> NDArray[np.float32]:
    """White, black and blue are worn most; any other colour sometimes (BGR)."""
    kind = rng.random()
    if kind < 0.2:
        return np.full(3, rng.uniform(190, 250), np.float32)
    if kind < 0.4:
        return np.full(3, rng.uniform(15, 60), np.float32)
    if kind < 0.6:
        return np.array([rng.uniform(160, 240), rng.uniform(140, 200), rng.uniform(70, 150)],
                        np.float32)  # fmt: skip
    return rng.uniform(20, 240, 3).astype(np.float32)


def _light(
    cloth: NDArray[np.float32],
    alpha: NDArray[np.float32],
    image: Picture,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Bring the cloth to the brightness and the left-right light of the face."""
    face = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    where = alpha > 0.5
    if not where.any():
        return cloth
    level = float(face[where].mean()) / 140.0
    smooth = cv2.GaussianBlur(face, (0, 0), max(2.0, image.shape[1] / 12))
    relief = smooth / max(1.0, float(smooth[where].mean()))
    amount = rng.uniform(0.3, 1.0)
    gain = (1 - amount + amount * np.clip(level, 0.45, 1.4)) * np.clip(relief, 0.5, 1.5) ** amount
    return np.asarray(cloth * gain[..., None], np.float32)


def mask_corners(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the six corners a..f, float64 ``[6, 2]``, of a mask on 68 points ``[68, 2]``."""
    bridge = (outline[28] + outline[29]) / 2
    jaw = {key: outline[index] for key, index in _JAW.items()}
    return np.stack([jaw["a"], bridge, jaw["c"], jaw["d"], jaw["e"], jaw["f"]])


def face_outline(
    points_5x2: NDArray[np.float32], shape_68x3: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fit a mean 3-D face to five points and return its 68 points in the picture.

    A scaled orthographic camera: the affine map of least squares, made stable by asking the
    depth column to be small (five points say little about depth).

    Args:
        points_5x2: ``[5, 2]`` in pixels.
        shape_68x3: mean face, y down, any unit, larger z nearer to the camera.

    Returns:
        float64 ``[68, 2]`` in pixels.
    """
    model = five_points(shape_68x3)
    target = points_5x2.astype(np.float64)
    model_mean, target_mean = model.mean(0), target.mean(0)
    a, b = model - model_mean, target - target_mean
    weight = np.diag([0.02, 0.02, 0.6]) * float((a * a).sum()) / 5
    affine = np.linalg.solve(a.T @ a + weight, a.T @ b)
    # What the ridge took from the plane's own scale is given back.
    affine[:2] *= np.linalg.norm(b) / max(1e-9, float(np.linalg.norm(a @ affine)))
    return np.asarray((shape_68x3 - model_mean) @ affine + target_mean)


def five_points(points: NDArray[Any]) -> NDArray[Any]:
    """Return the five points ``[5, D]`` of 68 ``[68, D]``: eyes, nose tip, mouth corners."""
    return np.stack([points[list(group)].mean(0) for group in _FIVE]).astype(points.dtype)


def _slip(
    corners: NDArray[np.float64], points: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Pull the mask's upper edge below the nose tip, or below the mouth."""
    eyes, nose, mouth = points[:2].mean(0), points[2], points[3:].mean(0)
    down = (mouth - eyes) / max(1e-6, float(np.linalg.norm(mouth - eyes)))
    length = float(np.linalg.norm(mouth - eyes))
    if rng.random() < 0.65:  # nose out
        edge = nose + down * length * rng.uniform(0.12, 0.32)
    else:  # on the chin
        edge = mouth + down * length * rng.uniform(0.1, 0.3)
    drop = float((edge - corners[1]) @ down)
    moved = corners.copy()
    moved[1] += down * drop
    moved[[0, 2]] += down * drop * rng.uniform(0.35, 0.7)
    moved[[3, 5]] += down * drop * rng.uniform(0.1, 0.3)
    moved[4] += down * drop * rng.uniform(0.05, 0.25)
    return moved


def _mean_face(path: Path) -> NDArray[np.float64]:
    with np.load(path, allow_pickle=False) as arrays:
        shape = np.asarray(arrays[arrays.files[0]], np.float64)
    if shape.shape != (68, 3):
        raise DataError(f"{path}: {list(shape.shape)} is no mean face [68, 3]")
    return shape


def _read(path: Path) -> Picture:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DataError(f"{path}: cannot be decoded", code="masks.picture")
    return np.asarray(image, np.uint8)
