"""Crops are exact where they can be and never alias."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.errors import DataError
from edge.geometry import (
    ARCFACE_112,
    box_matrix,
    crop_template,
    from_smaller,
    iou_matrix,
    letterbox_matrix,
    non_max_suppression,
    similarity_matrix,
    transform_points,
    warp,
)

angles = st.floats(-3.1, 3.1)
zooms = st.floats(0.05, 20)
shifts = st.floats(-500, 500)
sides = st.integers(1, 3000)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(angles, zooms, shifts, shifts)
def test_similarity_finds_the_rotation_zoom_and_shift(
    angle: float, zoom: float, x: float, y: float
) -> None:
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    true = np.array([[cos, -sin, x], [sin, cos, y]])
    found = similarity_matrix(ARCFACE_112, transform_points(true, ARCFACE_112))
    np.testing.assert_allclose(found, true, atol=1e-6 * (1 + abs(true).max()))


@given(st.lists(st.tuples(shifts, shifts), min_size=5, max_size=5, unique=True))
def test_similarity_is_the_least_squares_answer(points: list[tuple[float, float]]) -> None:
    source = np.array(points)
    if ((source - source.mean(0)) ** 2).sum() < 1:
        return
    # Each point gives two equations in (cos, sin, x, y).
    x, y = source.T
    one, zero = np.ones(5), np.zeros(5)
    left = np.vstack([np.c_[x, -y, one, zero], np.c_[y, x, zero, one]])
    answer, *_ = np.linalg.lstsq(left, ARCFACE_112.T.ravel(), rcond=None)
    found = similarity_matrix(source, ARCFACE_112)
    np.testing.assert_allclose(
        [found[0, 0], found[1, 0], found[0, 2], found[1, 2]], answer, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("points", [np.full((5, 2), 7.0), np.full((5, 2), np.nan)])
def test_similarity_refuses_points_in_one_place(points: NDArray[np.float64]) -> None:
    with pytest.raises(DataError, match="one place"):
        similarity_matrix(points, ARCFACE_112)


def test_the_template_of_112_pixels_is_arcface() -> None:
    np.testing.assert_allclose(crop_template(112), ARCFACE_112)
    moved = crop_template(128, scale=0.5, shift_y=0.25)
    assert moved[:, 1].mean() - crop_template(128, scale=0.5)[:, 1].mean() == pytest.approx(32)


@given(sides, sides, shifts, shifts)
def test_letterbox_round_trip(height: int, width: int, x: float, y: float) -> None:
    matrix = letterbox_matrix(height, width, 320, 320)
    back = cv2.invertAffineTransform(matrix)
    there_and_back = transform_points(back, transform_points(matrix, [x, y]))
    np.testing.assert_allclose(there_and_back, [x, y], atol=1e-6 * (1 + max(height, width)))
    # The frame's outer edges stay inside the input, and one of them reaches its end.
    low, high = transform_points(matrix, [[-0.5, -0.5], [width - 0.5, height - 0.5]])
    np.testing.assert_allclose(low, -0.5, atol=1e-9)
    assert high.max() == pytest.approx(319.5)


def test_warp_of_the_identity_matrix_is_bit_exact() -> None:
    image = noise(37, 53)
    out = np.zeros_like(image)
    warp(image, np.eye(2, 3), out)
    assert np.array_equal(out, image)


@given(st.integers(0, 30), st.integers(0, 20), st.integers(1, 20))
def test_a_box_crop_of_its_own_size_is_bit_exact(x: int, y: int, side: int) -> None:
    image = noise(40, 50)
    out = np.zeros((side, side, 3), np.uint8)
    warp(image, box_matrix([x, y, side, side], side, scale=1.0), out)
    assert np.array_equal(out, image[y : y + side, x : x + side])


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([1.0, 0.75, 0.625, 0.5]),
    st.integers(0, 99),
)
def test_a_resize_samples_where_the_warp_does(
    eighths: tuple[int, int], part: float, seed: int
) -> None:
    height, width = (8 * n for n in eighths)
    smooth = cv2.blur(noise(height, width, seed), (5, 5))
    rows, columns = int(height * part), int(width * part)
    matrix = np.array([[part, 0, (part - 1) / 2], [0, part, (part - 1) / 2]])
    quick = np.full((rows + 3, columns + 5, 3), 7, np.uint8)
    warp(smooth, matrix, quick)
    slow = cv2.warpAffine(smooth, matrix, (columns, rows), flags=cv2.INTER_LINEAR)
    # A warp rounds places to 1/32 of a pixel: on a smooth picture that is a level or two.
    assert np.abs(quick[:rows, :columns].astype(int) - slow).max() <= 3
    assert not quick[rows:].any() and not quick[:, columns:].any()


@pytest.mark.parametrize(("replicate", "expected"), [(False, 0), (True, 200)])
def test_beyond_the_frame_is_black_or_its_border(replicate: bool, expected: int) -> None:
    image = np.full((10, 10, 3), 200, np.uint8)
    out = np.full((8, 8, 3), 99, np.uint8)
    warp(image, box_matrix([-100, -100, 8, 8], 8, scale=1.0), out, replicate=replicate)
    assert (out == expected).all()


@pytest.mark.parametrize("side", [300, 1001, 4000])
def test_a_large_picture_is_averaged_and_not_sampled(side: int) -> None:
    checks = np.indices((side, side)).sum(0) % 2 * np.uint8(255)
    image = np.repeat(checks[..., None], 3, 2).astype(np.uint8)
    out = np.zeros((64, 64, 3), np.uint8)
    warp(image, letterbox_matrix(side, side, 64, 64), out)
    assert abs(out[2:-2, 2:-2].astype(int) - 127).max() < 40


@given(st.floats(0.02, 3), st.floats(-20, 60), st.floats(-20, 60))
def test_a_ramp_keeps_its_place_at_every_zoom(zoom: float, x: float, y: float) -> None:
    """Averaging first must not shift the crop: a linear ramp shows a shift as a value."""
    ramp = np.repeat(np.linspace(20, 220, 801)[None], 601, 0).round().astype(np.uint8)
    out = np.zeros((8, 8), np.uint8)
    matrix = np.array([[zoom, 0, -zoom * (x + 300)], [0, zoom, -zoom * (y + 200)]])
    inverse = cv2.invertAffineTransform(matrix)
    u, v = transform_points(inverse, np.stack([*np.mgrid[:8, :8][::-1]], -1)).transpose(2, 0, 1)
    reach = 1 / zoom
    inside = (u >= reach) & (u <= 800 - reach) & (v >= reach) & (v <= 600 - reach)
    warp(ramp, matrix, out)
    expected = 20 + u * 200 / 800
    assert abs(out - expected)[inside].max(initial=0) <= 1.5


def test_a_box_without_extent_is_refused() -> None:
    for box in ([1, 2, 0, 0], [np.nan, 0, 5, 5], [0, 0, np.inf, 1]):
        with pytest.raises(DataError, match="no extent"):
            box_matrix(box, 96, scale=1.0)


def test_iou() -> None:
    boxes = [[0, 0, 2, 2], [1, 0, 2, 2], [5, 5, 1, 1], [0, 0, 0, 0]]
    expected: list[list[float]] = [[1, 1 / 3, 0, 0], [1 / 3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(iou_matrix(boxes, boxes), expected, atol=1e-9)


boxes = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 30), st.integers(1, 30)),
    min_size=1,
    max_size=25,
)


@given(boxes, st.integers(0, 2**32 - 1))
def test_suppression_keeps_the_best_and_nothing_that_overlaps(
    given_boxes: list[tuple[int, ...]], seed: int
) -> None:
    array = np.array(given_boxes, np.float32)
    scores = np.random.default_rng(seed).random(len(array)).astype(np.float32)
    kept = non_max_suppression(array.tolist(), scores.tolist(), iou=0.45, limit=100)
    assert kept[0] == np.argmax(scores)
    assert (np.diff(scores[kept]) <= 0).all()
    overlap = iou_matrix(array[kept], array[kept])
    assert (overlap[~np.eye(len(kept), dtype=bool)] <= 0.45).all()
    gone = np.setdiff1d(np.arange(len(array)), kept)
    better = scores[kept][None] >= scores[gone][:, None]
    assert ((iou_matrix(array[gone], array[kept]) > 0.45) & better).any(1).all()


def test_suppression_looks_at_the_best_only() -> None:
    apart = [[10 * i, 0, 5, 5] for i in range(6)]
    scores = [0.1, 0.6, 0.2, 0.9, 0.3, 0.8]
    assert non_max_suppression(apart, scores, iou=0.5, limit=3) == [3, 5, 1]
    assert non_max_suppression([], [], iou=0.5, limit=3) == []


@given(
    st.tuples(st.integers(40, 400), st.integers(40, 400)),
    st.tuples(st.floats(0.1, 1), st.floats(0.1, 1)),
)
def test_a_smaller_picture_of_the_view_leads_to_the_same_place(
    frame_hw: tuple[int, int], shares: tuple[float, float]
) -> None:
    """A point of the view lands in one place of the input, whichever picture it is read from."""
    small_hw = tuple(
        max(1, round(side * share)) for side, share in zip(frame_hw, shares, strict=True)
    )
    matrix = letterbox_matrix(*frame_hw, 320, 320)
    small = from_smaller(matrix, frame_hw, small_hw)
    corner_of_both = np.array([[-0.5, -0.5]])
    end, small_end = (np.array([hw[::-1]]) - 0.5 for hw in (frame_hw, small_hw))
    assert np.allclose(transform_points(small, corner_of_both), [[-0.5, -0.5]])
    assert np.allclose(transform_points(small, small_end), transform_points(matrix, end))
