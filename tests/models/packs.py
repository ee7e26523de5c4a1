"""A tiny stand-in for the packs that masks are drawn with: one template, one mean face."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

#: Five points of an upright face in a 160-pixel picture.
POINTS = np.array([[60, 60], [100, 60], [80, 82], [64, 104], [96, 104]], np.float32)


def mean_face() -> NDArray[np.float64]:
    """A face of 68 points whose five points are ``POINTS`` about their middle, unit scale."""
    shape = np.zeros((68, 3))
    jaw = np.linspace(np.pi, 0, 17)
    shape[:17] = np.stack([42 * np.cos(jaw), 10 + 62 * np.sin(jaw), np.full(17, -20.0)], 1)
    shape[17:36, :2] = (0, -20)
    shape[27:31] = np.stack([np.zeros(4), np.linspace(-12, 0, 4), np.linspace(0, 25, 4)], 1)
    shape[36:42, :2], shape[42:48, :2] = (-20, -22), (20, -22)
    shape[48:68, :2] = (0, 22)
    shape[48, :2], shape[54, :2] = (-16, 22), (16, 22)
    return shape


def write_packs(folder: Path) -> Path:
    """Write ``mask_templates`` and ``landmarks68`` as the real packs are laid out."""
    templates = folder / "mask_templates" / "templates"
    templates.mkdir(parents=True)
    picture = np.zeros((200, 240, 4), np.uint8)
    outline = np.array([[10, 60], [120, 10], [230, 60], [220, 120], [120, 190], [20, 120]])
    cv2.fillPoly(picture, [outline], (200, 180, 60, 255))
    cv2.imwrite(str(templates / "plain.png"), picture)
    corners = [[10, 60], [120, 10], [230, 60], [20, 120], [120, 190], [220, 120]]
    entry = {
        "file": "templates/plain.png",
        "type": "cloth",
        "view": "front",
        "points": corners,
        "recolour": True,
        "split": "train",
    }
    index = {"templates": [entry], "textures": []}
    (folder / "mask_templates" / "templates.json").write_text(json.dumps(index))
    (folder / "landmarks68").mkdir()
    np.savez(folder / "landmarks68" / "template3d68.npz", points=mean_face())
    return folder / "mask_templates"
