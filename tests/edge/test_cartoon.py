"""Drawn people: what a shape covers is painted, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.sources import cartoon
from edge.sources.cartoon import SPRITE_PX

PLACES = st.floats(-40, SPRITE_PX + 40)


@settings(max_examples=25, deadline=None)
@given(PLACES, PLACES, st.floats(0.5, 90), st.floats(0.5, 90), st.integers(0, 99))
def test_paint_beyond_a_shape_changes_nothing(
    x: float, y: float, a: float, b: float, seed: int
) -> None:
    """Painting only where a shape is gives bit for bit what painting the whole sprite gives."""
    rng = np.random.default_rng(seed)
    canvas = rng.uniform(1, 255, (SPRITE_PX, SPRITE_PX, 3)).astype(np.float32)
    colour = tuple(rng.uniform(0, 255, 3))
    for opacity in (cartoon._ellipse(x, y, a, b), cartoon._glow(x, y, a, b) * 0.5):
        wanted = canvas + (np.array(colour, np.float32) - canvas) * opacity[..., None]
        cartoon._paint(canvas, colour, opacity)
        assert np.array_equal(canvas, wanted)


@pytest.mark.parametrize("masked", [False, True])
def test_a_person_is_the_same_for_a_seed(masked: bool) -> None:
    image, opacity = cartoon.draw_bust(np.random.default_rng(3), masked=masked)
    again, _ = cartoon.draw_bust(np.random.default_rng(3), masked=masked)
    other, _ = cartoon.draw_bust(np.random.default_rng(3), masked=not masked)
    assert np.array_equal(image, again) and not np.array_equal(image, other)
    assert image.dtype == opacity.dtype == np.uint8 and opacity.max() == 255
