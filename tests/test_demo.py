"""The demo's own parts: the drawn mask, the film, the table and the verdict."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.demo.drawn_mask import draw_mask
from benchmarks.demo.film import FRAMES, MASK_ON, RAISING, film
from benchmarks.demo.picture import PERSON, astronaut
from benchmarks.demo.report import check, table
from edge.errors import GateFailed

#: Of the astronaut, found by eye: eye, eye, nose tip, mouth corner, mouth corner.
POINTS = np.array([[202, 100], [247, 103], [222, 122], [207, 144], [238, 145]], np.float32)


def _changed(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((before != after).any(-1))


def test_a_drawn_mask_covers_nose_and_mouth_and_nothing_else() -> None:
    bare = astronaut()
    changed = _changed(bare, draw_mask(bare, POINTS))
    for x, y in POINTS[2:].astype(int):
        assert changed[y - 3 : y + 4, x - 3 : x + 4].mean() > 0.95
    for x, y in POINTS[:2].astype(int):
        assert not changed[y - 3 : y + 4, x - 3 : x + 4].any()
    assert not changed[:95].any() and not changed[200:].any()
    assert 0.005 < changed.mean() < 0.05


def test_a_low_mask_leaves_the_nose_free() -> None:
    bare = astronaut()
    changed = _changed(bare, draw_mask(bare, POINTS, drop=0.2))
    (nose_x, nose_y), mouth = POINTS[2].astype(int), POINTS[3:].mean(0).astype(int)
    assert not changed[nose_y - 3 : nose_y + 4, nose_x].any()
    assert changed[mouth[1], mouth[0]]


def test_a_mask_takes_the_light_of_the_picture() -> None:
    bare = astronaut()
    dark = (bare * 0.4).astype(np.uint8)
    x, y = POINTS[3:].mean(0).astype(int)
    assert draw_mask(dark, POINTS)[y, x].mean() < 0.6 * draw_mask(bare, POINTS)[y, x].mean()


def test_a_mask_beyond_the_border_is_no_error() -> None:
    bare = astronaut()
    assert np.array_equal(draw_mask(bare, POINTS + 5000), bare)


def test_the_film_has_its_frames() -> None:
    frames = list(film(astronaut(), POINTS))
    assert len(frames) == FRAMES > MASK_ON > RAISING.start
    assert {frame.shape for frame in frames} == {(360, 480, 3)}


def _line(source: str, frame: int, state: str, person: str | None) -> dict[str, Any]:
    identity = {"person": person, "similarity": 0.5, "reconstructed": False}
    face = {
        "mask": {"state": state, "score": 0.9},
        "reconstructed": state == "masked",
        "identity": identity,
        "emotion": {"label": "happiness", "score": 0.9},
    }
    return {"source": source, "frame": frame, "faces": [face], "timing_ms": {"total": 10.0}}


@pytest.fixture
def good_run() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    pictures = [_line("bare.png", 0, "unmasked", PERSON), _line("masked.png", 1, "masked", PERSON)]
    frames = [_line("film.avi", i, "masked", PERSON) for i in range(FRAMES)]
    return pictures, frames


def test_a_good_run_passes_and_fills_the_table(good_run: Any) -> None:
    pictures, frames = good_run
    check(pictures, frames)
    rows = table(pictures, frames).splitlines()
    assert len(rows) == 2 + 2 + 3
    assert f"{PERSON} {FRAMES - MASK_ON}/{FRAMES - MASK_ON}" in rows[-1]


@pytest.mark.parametrize("stranger", [None, "Somebody Else"])
def test_an_unknown_masked_picture_fails(good_run: Any, stranger: str | None) -> None:
    pictures, frames = copy.deepcopy(good_run)
    pictures[1]["faces"][0]["identity"]["person"] = stranger
    with pytest.raises(GateFailed, match=r"masked\.png"):
        check(pictures, frames)


def test_a_wrong_mask_state_fails(good_run: Any) -> None:
    pictures, frames = good_run
    pictures[1]["faces"][0]["mask"]["state"] = "unmasked"
    with pytest.raises(GateFailed, match="mask states"):
        check(pictures, frames)


def test_a_film_without_her_fails_and_an_empty_frame_counts(good_run: Any) -> None:
    pictures, frames = good_run
    for line in frames[MASK_ON:]:
        line["faces"] = []
    assert "0/" in table(pictures, frames).splitlines()[-1]
    with pytest.raises(GateFailed, match="masked frames"):
        check(pictures, frames)
