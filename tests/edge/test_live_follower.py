"""Stages look at followed faces by turns, at once when something changes, and say how old it is."""

from __future__ import annotations

import numpy as np
import pytest

from edge.live.follower import Follower
from edge.live.settings import LiveSettings, Reduction
from edge.results import STAGES, Ages, Detection, FaceResult
from tests.edge.live_kit import Scripted, frame_at, frontal

FULL = Reduction()
#: Nothing is looked at twice but in doubt, or by schedule after twenty frames.
SELDOM = LiveSettings(
    mask_every=20, identify_every=20, emotion_every=20, reconstruct_every=20, confirm=1
)


class Play:
    """Frames one after the other through a follower."""

    def __init__(self, pipeline: Scripted, settings: LiveSettings = SELDOM) -> None:
        self.pipeline = pipeline
        self.follower = Follower(pipeline, settings)  # type: ignore[arg-type]
        self.index = 0

    def frame(
        self, reduction: Reduction = FULL, *, look: bool = True
    ) -> tuple[tuple[FaceResult, ...], dict[str, int]]:
        """Return the faces, and how often each stage looked."""
        frame, spent = frame_at(self.index), self.pipeline.unspent()
        self.index += 1
        found = self.pipeline.detect(frame, spent) if look else None
        before = dict(self.pipeline.looks)
        faces = self.follower.look(frame, found, reduction, spent)
        after = self.pipeline.looks
        return faces, {k: n - before.get(k, 0) for k, n in after.items() if n > before.get(k, 0)}

    def frames(self, count: int, reduction: Reduction = FULL) -> list[FaceResult]:
        """Return the first face of each of so many frames."""
        return [self.frame(reduction)[0][0] for _ in range(count)]


def test_a_new_face_is_looked_at_by_every_stage_that_it_needs() -> None:
    (face,), looks = Play(Scripted(frontal(0, 0))).frame()
    assert looks == {"mask": 1, "identify": 1, "emotion": 1}
    assert face.ages == Ages() and face.track == 1
    assert face.identity is not None and face.identity.person == "Ada"
    assert (face.mask.state, face.emotion is not None, face.painting) == ("unmasked", True, None)


def test_a_covered_face_is_painted_too() -> None:
    pipeline = Scripted(frontal(0, 0))
    pipeline.state = "masked"
    (face,), looks = Play(pipeline).frame()
    assert looks == {"mask": 1, "reconstruct": 1, "identify": 1, "emotion": 1}
    assert face.painting is not None and pipeline.routes == [True]


def test_every_age_says_when_the_stage_last_looked() -> None:
    play = Play(
        Scripted(frontal(0, 0)),
        LiveSettings(mask_every=4, identify_every=9, emotion_every=6, confirm=1),
    )
    last = dict.fromkeys(("mask", "identify", "emotion"), 0)
    for i in range(60):
        (face,), looks = play.frame()
        last |= dict.fromkeys(looks, i)
        assert face.ages == Ages(**{stage: i - at for stage, at in last.items()})
        assert max(i - at for at in last.values()) <= 10
        assert sum(looks.values()) <= 3 or i == 0
    # One face needs 1/4 + 1/9 + 1/6 looks a frame, and a few more while it is young.
    assert sum(play.pipeline.looks.values()) - 60 == pytest.approx(
        60 * (1 / 4 + 1 / 9 + 1 / 6), abs=8
    )


def test_the_looks_at_many_faces_are_spread() -> None:
    play = Play(Scripted(*(frontal(200 * i, 0) for i in range(10))), LiveSettings(confirm=1))
    looks = [sum(play.frame()[1].values()) for _ in range(80)]
    assert looks[0] == 30  # mask, identity, emotion of ten new faces
    # 10 faces need 10 (1/5 + 1/30 + 1/5) = 4.3 looks a frame.
    assert max(looks[40:]) <= 5 and sum(looks[40:]) == pytest.approx(40 * 4.33, rel=0.1)


def test_a_mask_put_on_changes_everything_at_once_but_not_by_a_single_answer() -> None:
    play = Play(Scripted(frontal(0, 0)))
    play.frames(3)
    play.pipeline.state = "masked"
    looks: dict[str, int] = {}
    while "mask" not in looks:  # by schedule
        (face,), looks = play.frame()
    assert looks.keys().isdisjoint({"reconstruct"}) and face.mask.state == "unmasked"
    (face,), looks = play.frame()  # in doubt: at once
    assert looks["mask"] == 1
    if face.mask.state == "unmasked":  # two bare answers against two covered ones
        (face,), looks = play.frame()
    assert face.mask.state == "masked"
    assert looks == {"mask": 1, "reconstruct": 1, "identify": 1, "emotion": 1}
    assert play.pipeline.routes[-1] is True and not any(play.pipeline.routes[:-1])
    assert face.painting is not None
    play.pipeline.state = "unmasked"
    for _ in range(25):
        (face,), _ = play.frame()
    assert face.mask.state == "unmasked" and face.painting is None
    assert play.pipeline.routes[-1] is False


def test_one_wrong_answer_about_a_mask_is_not_said() -> None:
    play = Play(Scripted(frontal(0, 0)), LiveSettings(mask_every=1, confirm=1))
    play.frames(4)
    play.pipeline.state = "masked"
    assert play.frames(1)[0].mask.state == "unmasked"
    play.pipeline.state = "unmasked"
    assert {face.mask.state for face in play.frames(10)} == {"unmasked"}
    assert play.pipeline.looks["reconstruct"] == 0


def test_a_name_is_doubted_for_one_frame() -> None:
    play = Play(Scripted(frontal(0, 0)), LiveSettings(identify_every=1, confirm=1))
    play.frames(3)
    play.pipeline.person = "Eve"
    first, second = play.frames(2)
    assert first.identity is not None and first.identity.person == "Ada"
    assert second.identity is not None and second.identity.person == "Eve"


def test_embeddings_of_two_networks_do_not_mix() -> None:
    play = Play(Scripted(frontal(0, 0)), LiveSettings(mask_every=1, identify_every=1, confirm=1))
    play.frames(5)
    play.pipeline.state = "masked"
    play.pipeline.embedding = np.eye(2, 4, dtype=np.float32)[1]
    faces = play.frames(4)
    covered = next(face for face in faces if face.mask.state == "masked")
    assert covered.embedding is not None
    np.testing.assert_array_equal(covered.embedding, play.pipeline.embedding)


def test_a_better_view_is_looked_at_at_once() -> None:
    play = Play(Scripted(frontal(0, 0, 40)))
    for _ in range(20):
        play.frame()
    looks = []
    for side in (42, 44, 70, 72, 74):
        play.pipeline.faces = [frontal(0, 0, side)]
        looks.append({"mask", "identify"} <= play.frame()[1].keys())
    assert looks == [False, False, True, False, False]


def test_between_detections_faces_are_carried_on_and_nothing_is_asked() -> None:
    play = Play(Scripted(frontal(0, 0)))
    play.pipeline.state = "masked"
    play.frame()
    play.pipeline.faces = [frontal(20, 0)]
    play.frame()
    for age in (1, 2):
        (face,), looks = play.frame(look=False)
        assert looks == {"repaint": 1}
        assert face.track == 1 and face.ages is not None and face.ages.box == age
        assert face.ages.reconstruct == 1 + age
        assert face.detection.box_xywh[0] == pytest.approx(20 + 20 * age, abs=0.1)
        assert face.mask.state == "masked" and face.identity is not None


def test_a_remembered_painting_is_put_into_the_frame_of_now() -> None:
    play = Play(Scripted(frontal(0, 0)))
    play.pipeline.state = "masked"
    assert "repaint" not in play.frame()[1]
    assert play.frame()[1]["repaint"] == 1


def test_what_is_left_out_is_not_said_and_comes_back_anew() -> None:
    play = Play(Scripted(frontal(0, 0)))
    play.pipeline.state = "masked"
    play.frames(3)
    spare = Reduction(emotion=False, reconstruct=False)
    before = dict(play.pipeline.looks)
    for face in play.frames(30, spare):
        assert face.emotion is None and face.painting is None
        assert face.ages is not None and face.ages.emotion == face.ages.reconstruct == 0
    for stage in ("emotion", "reconstruct", "repaint"):
        assert play.pipeline.looks[stage] == before[stage]
    play.pipeline.feeling = "surprise"
    (face,) = play.frames(1)
    assert face.emotion is not None and face.emotion.label == "surprise"
    assert face.painting is not None and face.ages is not None and face.ages.reconstruct == 0


def test_a_stage_that_the_bundle_lacks_is_not_asked() -> None:
    pipeline = Scripted(frontal(0, 0), stages=("detect", "mask"))
    pipeline.state = "masked"
    for face in Play(pipeline).frames(30):
        assert (face.identity, face.emotion, face.painting, face.embedding) == (None,) * 4
    assert set(pipeline.looks) == {"detect", "mask"}


def test_what_is_known_goes_with_the_track() -> None:
    play = Play(Scripted(frontal(0, 0)), LiveSettings(keep=2, confirm=1))
    play.frames(3)
    play.pipeline.faces = []
    for _ in range(4):
        assert play.frame()[0] == ()
    play.pipeline.faces, play.pipeline.person = [frontal(0, 0)], "Eve"
    (face,) = play.frames(1)
    assert face.track == 2 and face.identity is not None and face.identity.person == "Eve"


def test_a_face_that_was_missed_is_not_said_to_be_there() -> None:
    play = Play(Scripted(frontal(0, 0)))
    play.frames(2)
    play.pipeline.faces = []
    assert play.frame()[0] == () and play.frame(look=False)[0] == ()
    play.pipeline.faces = [frontal(3, 0)]
    (face,) = play.frames(1)
    assert face.track == 1


def test_after_a_while_out_of_sight_it_is_asked_whether_it_is_the_same_face() -> None:
    play = Play(Scripted(frontal(0, 0)))
    play.frames(12)
    for missed, asked in ((1, False), (6, True)):
        play.pipeline.faces = []
        for _ in range(missed):
            play.frame()
        play.pipeline.faces = [frontal(0, 0)]
        (face,), looks = play.frame()
        assert face.track == 1 and ({"mask", "identify"} <= looks.keys()) == asked


def test_a_thousand_passers_by_leave_nothing_behind() -> None:
    play = Play(Scripted(), LiveSettings(confirm=1, keep=3))
    for i in range(1000):
        play.pipeline.faces = [frontal(500 * (i % 7), 0)]
        play.frame()
    assert len(play.follower._known) <= 5
    assert set(STAGES) >= set(play.pipeline.looks)


def test_squashed_points_do_not_end_the_run() -> None:
    face = Detection(np.array([0, 0, 50, 50], np.float32), 0.9, np.ones((5, 2), np.float32))
    assert len(Play(Scripted(face)).frames(3)) == 3
