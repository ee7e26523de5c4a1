"""Votes change their mind for good reasons only; looks are spread and nobody is forgotten."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.live.schedule import Turn, choose
from edge.live.settings import LiveSettings, Reduction
from edge.live.view import view_quality
from edge.live.votes import Embeddings, LabelVote, NameVote
from edge.results import Detection, Identity
from tests.edge.live_kit import frontal


def _labels(vote: LabelVote, answers: str, score: float = 0.9) -> str:
    said = ""
    for answer in answers:
        vote.add(answer, score)
        said += vote.label
    return said


def test_a_label_changes_when_another_was_given_twice() -> None:
    assert _labels(LabelVote(3), "aabaabba") == "aaaaaabb"
    assert _labels(LabelVote(3), "abcabc") == "aaaaaa"


def test_a_sure_answer_outweighs_two_poor_ones() -> None:
    vote = LabelVote(3)
    vote.add("a", 0.95)
    assert _labels(vote, "bb", score=0.4) == "aa"
    assert vote.doubt and vote.score == pytest.approx(0.95)
    assert _labels(vote, "b", score=0.4) == "b" and not vote.doubt


def test_a_label_that_nobody_gave_lately_goes() -> None:
    assert _labels(LabelVote(3), "abcd")[-1] in "bcd"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.01, 1)), min_size=1))
def test_a_vote_is_one_of_the_last_answers(answers: list[tuple[str, float]]) -> None:
    vote = LabelVote(3)
    for i, (label, score) in enumerate(answers):
        before = vote.label
        vote.add(label, score)
        recent = [other for other, _ in answers[max(0, i - 2) : i + 1]]
        assert vote.label in recent
        assert 0 < vote.score <= 1 and vote.doubt == (vote.label != label)
        if vote.label != before and before in recent:
            assert recent.count(vote.label) >= 2


def _names(answers: list[str | None]) -> list[str | None]:
    vote, said = NameVote(), []
    for name in answers:
        vote.add(Identity(name, 0.5, reconstructed=False))
        assert vote.identity is not None
        said.append(vote.identity.person)
    return said


def test_a_name_changes_when_another_won_twice_in_a_row() -> None:
    assert _names(["Ada", "Eve", "Ada", "Eve", "Eve"]) == ["Ada", "Ada", "Ada", "Ada", "Eve"]
    assert _names(["Ada", "Eve", "Joy", "Eve", None, None]) == ["Ada"] * 5 + [None]
    assert _names([None, "Ada", "Ada"]) == [None, None, "Ada"]


def test_the_mean_of_embeddings_forgets_and_has_length_one() -> None:
    embeddings, rows = Embeddings(2), np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(embeddings.add(rows[0]), rows[0])
    np.testing.assert_allclose(embeddings.add(rows[1]), [0.5**0.5, 0.5**0.5, 0], atol=1e-6)
    np.testing.assert_allclose(embeddings.add(rows[2]), [0, 0.5**0.5, 0.5**0.5], atol=1e-6)
    embeddings.clear()
    np.testing.assert_array_equal(embeddings.add(rows[0]), rows[0])


def _turned(share: float) -> Detection:
    """Return a face whose nose and mouth lie aside, as a turned head's do."""
    face = frontal(0, 0)
    face.points_5x2[2:, 0] += np.float32([40, 25, 25]) * np.float32(share)
    return face


def test_a_larger_and_a_more_frontal_view_is_better() -> None:
    assert view_quality(frontal(0, 0, 100)) == pytest.approx(100 / 128, abs=1e-3)
    assert view_quality(frontal(0, 0, 50)) < view_quality(frontal(0, 0, 100))
    assert view_quality(frontal(0, 0, 300)) == pytest.approx(1.0)  # more pixels than are read
    seen = [view_quality(_turned(share)) for share in (0, 0.3, 0.6, 1)]
    assert seen == sorted(seen, reverse=True) and seen[-1] < 0.6 * seen[0]
    squashed = Detection(np.ones(4, np.float32), 0.9, np.ones((5, 2), np.float32))
    assert view_quality(squashed) == 0


def test_a_young_track_is_looked_at_more_often() -> None:
    turn, looks = Turn(10, settle=True), []
    for frame in range(60):
        if turn.urgent(1.0) or turn.due():
            turn.looked(1.0)
            looks.append(frame)
        turn.age += 1
    assert looks == [0, 1, 3, 7, 15, 25, 35, 45, 55]


def test_a_doubt_and_a_clearly_better_view_do_not_wait() -> None:
    turn = Turn(10, settle=False)
    assert turn.urgent(0.5)
    turn.looked(0.5)
    assert not turn.urgent(0.6) and turn.urgent(0.7)
    turn.looked(0.7, doubt=True)
    assert turn.urgent(0.1)
    turn.looked(0.1)
    assert not turn.urgent(0.7)  # it had as good a view before
    turn.reset()
    assert turn.urgent(0.1)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=40))
def test_looks_are_spread_and_nobody_waits_for_ever(every: list[int]) -> None:
    turns = [Turn(n, settle=False) for n in every]
    for turn in turns:
        turn.looked(1.0)  # all faces came in one frame
    room = sum(1 / n for n in every)
    for _ in range(3 * max(every)):
        for turn in turns:
            turn.age += 1
        chosen = choose(turns)
        assert len(chosen) <= room + 1
        for i in chosen:
            assert turns[i].age >= every[i]
            turns[i].looked(1.0)
        assert all(turn.age <= 2 * n for turn, n in zip(turns, every, strict=True))


def test_fewer_chances_take_more_looks_each() -> None:
    turns = [Turn(4, settle=False) for _ in range(8)]
    for turn in turns:
        turn.looked(1.0)
        turn.age = 5
    assert len(choose(turns)) == 2 and len(choose(turns, frames=3)) == 6


def test_a_reduction_is_named_by_what_it_leaves_out() -> None:
    settings = LiveSettings(detect_every=3)
    assert Reduction().names(settings) == Reduction(detect_every=3).names(settings) == ()
    assert Reduction(5, emotion=False, reconstruct=False, fps=5).names(settings) == (
        "detect", "emotion", "reconstruct", "fps",
    )  # fmt: skip
