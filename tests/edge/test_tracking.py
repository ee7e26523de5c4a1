"""A face keeps its track while it moves, rests, is missed and meets others; numbers are new."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.results import Detection
from edge.tracking import Tracker
from tests.edge.live_kit import frontal

_TENTH = 100_000_000


def test_a_face_is_confirmed_and_then_keeps_its_number() -> None:
    tracker = Tracker(confirm=3)
    numbers = [tracker.see([frontal(10 * i, 0)], i * _TENTH)[0].number for i in range(6)]
    assert numbers == [None, None, 1, 1, 1, 1]


def test_what_flickers_once_costs_no_number_and_leaves_nothing() -> None:
    tracker = Tracker()
    tracker.see([frontal(0, 0), frontal(500, 0)], 0)
    tracker.see([frontal(0, 0)], _TENTH)
    assert [track.number for track in tracker.tracks] == [1]
    (_, other) = [tracker.see([frontal(0, 0), frontal(900, 0)], i * _TENTH) for i in (2, 3)][1]
    assert other.number == 2


def test_tracks_follow_the_order_of_the_faces() -> None:
    tracker = Tracker(confirm=1)
    left, right = tracker.see([frontal(0, 0), frontal(300, 0)], 0)
    assert tracker.see([frontal(301, 0), frontal(1, 0)], _TENTH) == [right, left]


def test_a_face_that_walks_is_foreseen_where_nobody_looks() -> None:
    tracker = Tracker()
    for i in range(4):  # 40 pixels to the right a tenth of a second, and 5 % larger
        side = 100 * 1.05**i
        (track,) = tracker.see([frontal(40 * i - side / 2, 200 - side / 2, side)], i * _TENTH)
    for i in (4, 5):
        assert tracker.carry(i * _TENTH) == [track]
        side = 100 * 1.05**i
        expected = frontal(40 * i - side / 2, 200 - side / 2, side)
        np.testing.assert_allclose(track.face.box_xywh, expected.box_xywh, atol=2.5)
        np.testing.assert_allclose(track.face.points_5x2, expected.points_5x2, atol=2.5)
        assert track.age == i - 3
    # Two looks later it is still the same face, 120 pixels from where it was last seen.
    assert tracker.see([frontal(240 - 67, 200 - 67, 134)], 6 * _TENTH) == [track]
    assert track.age == 0


def test_nothing_is_foreseen_for_long() -> None:
    tracker = Tracker()
    for i in range(3):
        (track,) = tracker.see([frontal(50 * i, 0)], i * _TENTH)
    tracker.carry(2 * _TENTH + 500_000_000)
    x = track.face.box_xywh[0]
    tracker.carry(2 * _TENTH + 2_500_000_000)
    assert track.face.box_xywh[0] == x == pytest.approx(350, abs=1)


def test_a_missed_face_comes_back_until_its_track_ends() -> None:
    tracker = Tracker(keep=3)
    for i in range(2):
        (track,) = tracker.see([frontal(0, 0)], i * _TENTH)
    for i in range(2, 5):
        assert tracker.see([], i * _TENTH) == []
        assert tracker.carry(i * _TENTH) == []  # nobody says that it is there
    assert tracker.see([frontal(5, 0)], 5 * _TENTH) == [track] and track.number == 1
    for i in range(6, 10):
        tracker.see([], i * _TENTH)
    assert track.ended and tracker.tracks == ()
    for i in (10, 11):
        (other,) = tracker.see([frontal(5, 0)], i * _TENTH)
    assert other.number == 2


def test_after_a_long_gap_it_is_somebody_else() -> None:
    tracker = Tracker(confirm=1, keep=1000)
    (before,) = tracker.see([frontal(0, 0)], 0)
    tracker.see([], 4_000_000_000)
    assert before.ended


def test_two_who_pass_each_other_keep_their_numbers() -> None:
    tracker = Tracker()
    for i in range(21):  # one walks to the right, the other to the left and a little lower
        at = 30 * i
        left, right = tracker.see([frontal(at, 0), frontal(600 - at, 60)], i * _TENTH)
    assert (left.number, right.number) == (1, 2)


def test_a_neighbour_is_not_taken_for_a_face_that_left() -> None:
    tracker = Tracker(confirm=1)
    (gone,) = tracker.see([frontal(0, 0)], 0)
    (other,) = tracker.see([frontal(100, 0)], _TENTH)
    assert other is not gone and gone.missed == 1


def test_frames_of_one_instant_tell_no_velocity() -> None:
    tracker = Tracker()
    tracker.see([frontal(0, 0)], 5)
    (track,) = tracker.see([frontal(30, 0)], 5)
    tracker.carry(5 + _TENTH)
    assert track.number == 1
    np.testing.assert_array_equal(track.face.box_xywh, frontal(30, 0).box_xywh)


_faces = st.lists(
    st.builds(
        frontal, st.floats(-50, 700), st.floats(-50, 500), st.floats(1, 400)
    ),
    max_size=8,
)  # fmt: skip


@given(st.lists(st.tuples(_faces | st.none(), st.integers(0, 2_000_000_000)), max_size=12))
def test_whatever_is_found_the_books_are_in_order(
    story: list[tuple[list[Detection] | None, int]],
) -> None:
    tracker, now, given_numbers, ended = Tracker(), 0, set[int](), set[int]()
    for found, past in story:
        now += past
        tracks = tracker.carry(now) if found is None else tracker.see(found, now)
        assert len(set(tracks)) == len(tracks) and set(tracks) <= set(tracker.tracks)
        if found is not None:
            assert [track.face for track in tracks] == found  # the very faces, in their order
            assert all(track.age == 0 for track in tracks)
        for track in tracks:
            assert np.isfinite(track.face.box_xywh).all() and (track.face.box_xywh[2:] > 0).all()
        numbers = {t.number for t in tracker.tracks if t.number is not None}
        assert not numbers & ended
        ended |= given_numbers - numbers
        given_numbers |= numbers
    assert given_numbers == set(range(1, len(given_numbers) + 1))


@given(st.floats(0, 2 * math.pi), st.floats(0, 0.5), st.integers(1, 3), st.data())
def test_a_face_at_a_steady_pace_is_one_track(
    angle: float, pace: float, every: int, data: st.DataObject
) -> None:
    """Up to half its width from one look to the next, any way, in a box that trembles by 3 %."""
    tremble = st.floats(-0.03, 0.03)
    step = np.array([math.cos(angle), math.sin(angle)]) * pace * 100 / every
    tracker = Tracker()
    for i in range(24):
        if i % every == 0:
            x, y = step * i + 100 * np.array([data.draw(tremble), data.draw(tremble)])
            (track,) = tracker.see([frontal(x, y)], i * _TENTH)
        else:
            tracker.carry(i * _TENTH)
    assert track.number == 1
