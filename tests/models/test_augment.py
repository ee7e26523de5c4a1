"""Random changes of a picture keep to what they promise."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.geometry import crop_template, similarity_matrix, transform_points
from models.training.augment import flip_points, photometric, shake

_MATRIX = similarity_matrix(crop_template(112), crop_template(112))


def test_no_change_asked_for_is_no_change() -> None:
    same = shake(_MATRIX, 112, np.random.default_rng(0))
    np.testing.assert_allclose(same, _MATRIX, atol=1e-9)


def test_mirroring_twice_is_no_change() -> None:
    once = shake(_MATRIX, 112, np.random.default_rng(0), flip=True)
    twice = shake(once, 112, np.random.default_rng(0), flip=True)
    np.testing.assert_allclose(twice, _MATRIX, atol=1e-9)


def test_a_mirrored_face_keeps_left_on_the_left() -> None:
    matrix = shake(_MATRIX, 112, np.random.default_rng(0), flip=True)
    points = flip_points(transform_points(matrix, crop_template(112)))
    assert points[0, 0] < points[1, 0] and points[3, 0] < points[4, 0]


@given(st.integers(0, 2**32 - 1))
def test_shake_stays_within_its_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = shake(_MATRIX, 112, rng, zoom=0.1, shift=0.05, turn_deg=10)
    scale = np.sqrt(np.linalg.det(matrix[:, :2]))
    assert 1 / 1.1 - 1e-6 <= scale <= 1.1 + 1e-6
    middle = np.array([55.5, 55.5])
    assert np.abs(transform_points(matrix, middle) - middle).max() <= 0.05 * 112 + 1e-6


@given(st.integers(0, 2**32 - 1))
def test_photometric_keeps_shape_and_type(seed: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    changed = photometric(image, np.random.default_rng(seed))
    assert changed.shape == image.shape and changed.dtype == np.uint8


def test_no_strength_leaves_the_picture() -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    changed = photometric(image, np.random.default_rng(2), strength=0.0)
    assert np.abs(changed.astype(int) - image).max() <= 1
