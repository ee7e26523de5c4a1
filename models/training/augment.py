"""Random changes of a training picture: where it is cut, how it is lit, how sharp it is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["flip_points", "photometric", "shake"]

Picture = NDArray[np.uint8]


def shake(
    matrix: NDArray[np.float64],
    size_px: int,
    rng: np.random.Generator,
    *,
    zoom: float = 0.0,
    shift: float = 0.0,
    turn_deg: float = 0.0,
    flip: bool = False,
) -> NDArray[np.float64]:
    """Turn, shift, zoom and mirror a crop about its middle.

    Args:
        matrix: float64 ``[2, 3]``, from picture to crop.
        size_px: side of the crop.
        zoom: largest relative change of scale, either way.
        shift: largest shift as a share of the side.
        turn_deg: largest turn in degrees, either way.
        flip: mirror left and right.

    Returns:
        float64 ``[2, 3]``, from picture to the changed crop.
    """
    scale = float(np.exp(rng.uniform(-1, 1) * np.log1p(zoom)))
    angle = np.deg2rad(rng.uniform(-turn_deg, turn_deg))
    middle = (size_px - 1) / 2
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    if flip:
        linear[0] *= -1
    offset = middle + rng.uniform(-shift, shift, 2) * size_px - linear @ np.array([middle, middle])
    changed = np.empty((2, 3))
    changed[:, :2] = linear @ matrix[:, :2]
    changed[:, 2] = linear @ matrix[:, 2] + offset
    return changed


def flip_points(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Name five mirrored points anew: left stays left as the viewer sees it."""
    return points[[1, 0, 2, 4, 3]]


def photometric(image: Picture, rng: np.random.Generator, *, strength: float = 1.0) -> Picture:
    """Change light, colour, sharpness and noise as cheap cameras do.

    Args:
        image: uint8 ``[H, W, 3]`` BGR.
        strength: 0 leaves the picture as it is.

    Returns:
        uint8 of the same shape, new memory.
    """
    return np.asarray(_light(_sharpness(image, rng, strength), rng, strength), np.uint8)


def _sharpness(
    image: cv2.typing.MatLike, rng: np.random.Generator, strength: float
) -> cv2.typing.MatLike:
    """Distance, lens and motion."""
    side = image.shape[0]
    if rng.random() < 0.25 * strength:  # seen from further away
        small = max(8, int(side * rng.uniform(0.25, 0.8)))
        image = cv2.resize(
            cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), image.shape[1::-1]
        )
    if rng.random() < 0.15 * strength:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.0 + side / 100))
    if rng.random() < 0.08 * strength:  # moved while the shutter was open
        length = int(rng.integers(3, max(4, side // 14)))
        kernel = np.zeros((length, length), np.float32)
        if rng.random() < 0.5:
            kernel[length // 2] = 1 / length
        else:
            np.fill_diagonal(kernel, 1 / length)
        image = cv2.filter2D(image, -1, kernel)
    return image


def _light(
    image: cv2.typing.MatLike, rng: np.random.Generator, strength: float
) -> cv2.typing.MatLike:
    """Colour, curves, noise and compression."""
    if rng.random() < 0.15 * strength:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    elif rng.random() < 0.5 * strength:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        keep = rng.uniform(0.5, 1.4)
        image = cv2.addWeighted(image, keep, grey, 1 - keep, 0.0)
    image = _curves(image, rng, strength)
    if rng.random() < 0.2 * strength:
        amount = int(rng.integers(3, 18))  # uniform: a tenth of the time of normal noise
        noise = rng.integers(-amount, amount + 1, image.shape, dtype=np.int16)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.1 * strength:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))]
        packed = cv2.imencode(".jpg", image, quality)[1]
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return image


def _curves(image: cv2.typing.MatLike, rng: np.random.Generator, strength: float) -> Picture:
    """Gamma, contrast, brightness and a colour cast in one look-up a channel."""
    levels = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(rng.uniform(-0.45, 0.45) * strength)
    contrast = 1 + rng.uniform(-0.3, 0.3) * strength
    bright = rng.uniform(-0.15, 0.15) * strength
    cast = 1 + rng.uniform(-0.1, 0.1, 3) * strength
    curve = (levels**gamma - 0.5) * contrast + 0.5 + bright
    table = np.clip(curve[:, None] * cast[None] * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table[:, None, :]), np.uint8)
