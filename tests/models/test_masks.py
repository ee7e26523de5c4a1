"""Drawn masks cover what a mask covers, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError, MissingInput
from models.training.masks import Masks, face_outline
from tests.models.packs import POINTS, mean_face, write_packs


def _skin() -> np.ndarray:
    return np.random.default_rng(0).integers(120, 180, (160, 160, 3), dtype=np.uint8)


def test_outline_meets_the_five_points() -> None:
    outline = face_outline(POINTS, mean_face())
    np.testing.assert_allclose(outline[36], POINTS[0], atol=3)
    np.testing.assert_allclose(outline[42], POINTS[1], atol=3)
    np.testing.assert_allclose(outline[54], POINTS[4], atol=3)
    assert outline[8, 1] > POINTS[3:, 1].max() + 20  # the chin is below the mouth


def test_outline_follows_scale_and_shift() -> None:
    moved = face_outline(POINTS * 3 + np.float32([50, 20]), mean_face())
    np.testing.assert_allclose(moved, face_outline(POINTS, mean_face()) * 3 + [50, 20], atol=1e-3)


def test_a_mask_hides_mouth_and_nose_but_not_the_eyes(tmp_path: Path) -> None:
    masks, image = Masks(write_packs(tmp_path), "train"), _skin()
    for seed in range(8):
        drawn = masks.draw(image, POINTS, np.random.default_rng(seed))
        cover = drawn.cover_u8
        assert drawn.state == "masked"
        for x, y in POINTS[2:].astype(int):
            assert cover[y, x] == 255
        for x, y in POINTS[:2].astype(int):
            assert cover[y, x] == 0
        assert (drawn.image_bgr[0] == image[0]).all()  # far from the mask nothing changes
        assert (drawn.image_bgr[cover > 0] != image[cover > 0]).any()


def test_worn_badly_leaves_the_nose_out(tmp_path: Path) -> None:
    masks = Masks(write_packs(tmp_path), "train")
    x, y = POINTS[2].astype(int)
    out = [
        masks.draw(_skin(), POINTS, np.random.default_rng(s), incorrect=True).cover_u8[y, x] == 0
        for s in range(12)
    ]
    assert np.mean(out) > 0.8


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    masks = Masks(write_packs(tmp_path), "train")
    a, b = (masks.draw(_skin(), POINTS, np.random.default_rng(3)).image_bgr for _ in range(2))
    assert (a == b).all()


def test_a_missing_pack_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"templates\.json"):
        Masks(tmp_path, "train")


def test_a_mean_face_of_another_shape_is_refused(tmp_path: Path) -> None:
    folder = write_packs(tmp_path)
    np.savez(tmp_path / "landmarks68" / "template3d68.npz", points=np.zeros((5, 2)))
    with pytest.raises(DataError, match="no mean face"):
        Masks(folder, "train")
