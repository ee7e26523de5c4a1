"""Annotated pictures: what changes, what stays, and that no result can break them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.draw import annotate, strip
from edge.frames import Frame
from edge.lettering import plain, text_width, write
from edge.results import Detection, Emotion, FaceResult, FrameResult, Identity, MaskState, Painting


def face_at(
    x: float, y: float, w: float, h: float, *, state: str = "masked", painted: bool = False
) -> FaceResult:
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    painting = None
    if painted:
        covered = np.zeros((128, 128), np.uint8)
        covered[64:] = 255
        matrix = np.array([[128 / w, 0, -x * 128 / w], [0, 128 / h, -y * 128 / h]])
        painting = Painting(np.full((128, 128, 3), 90, np.uint8), covered, matrix)
    return FaceResult(
        Detection(np.array([x, y, w, h], np.float32), 0.9, points * (w, h) + np.float32([x, y])),
        MaskState(state, 0.9),
        painting,
        Identity("Ada", 0.62, False),
        Emotion("happiness", 0.8),
    )


def frame_of(height: int, width: int, value: int = 128) -> Frame:
    return Frame(np.full((height, width, 3), value, np.uint8), 0, 0, "drawn")


def result_of(*faces: FaceResult) -> FrameResult:
    return FrameResult(0, "drawn", 0, faces)


def test_no_face_gives_a_copy() -> None:
    frame = frame_of(400, 500)
    image = annotate(frame, result_of())
    np.testing.assert_array_equal(image, frame.image)
    assert not np.shares_memory(image, frame.image)


def test_the_frame_itself_is_left_alone() -> None:
    frame = frame_of(400, 500)
    annotate(frame, result_of(face_at(150, 150, 100, 120, painted=True)))
    assert (frame.image == 128).all()


def test_small_pictures_are_enlarged_by_a_whole_factor() -> None:
    assert annotate(frame_of(100, 150), result_of()).shape == (400, 600, 3)
    assert annotate(frame_of(1, 1), result_of()).shape == (360, 360, 3)
    assert annotate(frame_of(4, 5000), result_of()).shape == (4, 5000, 3)


@pytest.mark.parametrize("state", ["masked", "unmasked", "incorrect"])
def test_the_box_is_where_the_face_is_and_has_its_states_colour(state: str) -> None:
    x, y, w, h = 220, 200, 150, 180
    image = annotate(frame_of(600, 640), result_of(face_at(x, y, w, h, state=state)))
    edge = image[y + h // 2, x - 3 : x + 4].astype(int)
    assert np.ptp(edge, axis=1).max() > 80  # a colour on a grey frame
    inside = image[y + 20 : y + 50, x + w // 2 - 10 : x + w // 2 + 10]
    assert (inside == 128).all()


def test_each_state_looks_different() -> None:
    pictures = [
        annotate(frame_of(600, 640), result_of(face_at(220, 200, 150, 180, state=state)))
        for state in ("masked", "unmasked", "incorrect", "unheard of")
    ]
    colours = {tuple(picture[290, 220].tolist()) for picture in pictures}
    assert len(colours) == 4


def test_a_followed_face_shows_its_number() -> None:
    face = face_at(150, 150, 100, 120)
    pictures = [
        annotate(frame_of(400, 500), result_of(replace(face, track=track)))
        for track in (None, 7, 1234567)
    ]
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_a_painted_face_has_an_inset_that_hides_no_face() -> None:
    plainly = annotate(frame_of(720, 1280), result_of(face_at(500, 200, 180, 220)))
    shown = annotate(frame_of(720, 1280), result_of(face_at(500, 200, 180, 220, painted=True)))
    changed = (plainly != shown).any(2)
    assert changed.sum() > 10_000
    assert not changed[205:415, 505:675].any()


_NEAR, _SIZE = st.floats(-500, 1500), st.floats(1, 900)
_PICTURE_HW = st.tuples(st.integers(1, 500), st.integers(1, 500))
_Boxes = list[tuple[float, float, float, float]]


@settings(max_examples=25)
@given(st.lists(st.tuples(_NEAR, _NEAR, _SIZE, _SIZE), max_size=4), _PICTURE_HW, st.booleans())
def test_no_box_breaks_it(boxes: _Boxes, size: tuple[int, int], painted: bool) -> None:
    image = annotate(frame_of(*size), result_of(*(face_at(*b, painted=painted) for b in boxes)))
    assert image.dtype == np.uint8 and image.ndim == 3


_FAR = st.floats(-1e30, 1e30)


@settings(max_examples=25)
@given(st.lists(st.tuples(_FAR, _FAR, _FAR, _FAR), max_size=4), _PICTURE_HW)
def test_no_number_breaks_it(boxes: _Boxes, size: tuple[int, int]) -> None:
    image = annotate(frame_of(*size), result_of(*(face_at(*b) for b in boxes)))
    assert image.dtype == np.uint8 and image.ndim == 3


def test_a_strip_shows_seen_map_painted() -> None:
    frame = frame_of(300, 300, 200)
    face = face_at(50, 50, 200, 200, painted=True)
    assert face.painting is not None
    image = strip(face.painting, frame, tile_px=128)
    tiles = [image[4 : 4 + 128, 4 + i * 132 : 4 + i * 132 + 128] for i in range(3)]
    assert (tiles[0] == 200).all()
    assert (tiles[2] == 90).all()
    top, bottom = tiles[1][:60], tiles[1][70:]
    assert np.ptp(top[..., :], axis=2).max() == 0  # bare skin is grey
    assert np.ptp(bottom, axis=2).min() > 20  # what is covered is tinted


@given(st.text(max_size=80))
def test_any_name_becomes_letters_that_can_be_drawn(name: str) -> None:
    text = plain(name)
    assert text.isascii() and (text.isprintable()) and len(text) <= 32


def test_names_keep_their_letters() -> None:
    assert plain("José Müller") == "Jose Muller"


def test_text_stays_within_its_width() -> None:
    image = np.zeros((40, 400, 3), np.uint8)
    write(image, "gjpqy AWM 0.62", 10, 5, 24, (255, 255, 255))
    columns = np.flatnonzero(image.any((0, 2)))
    rows = np.flatnonzero(image.any((1, 2)))
    assert 10 <= columns[0] and columns[-1] < 10 + text_width("gjpqy AWM 0.62", 24)
    assert 5 <= rows[0] and rows[-1] < 5 + 24
    assert cv2.countNonZero(image[..., 0]) > 300
