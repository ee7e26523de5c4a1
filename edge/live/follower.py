"""The second half of live work: faces keep what is known of them from frame to frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from edge.frames import Frame
from edge.live.known import Known
from edge.live.schedule import choose
from edge.live.settings import LiveSettings, Reduction
from edge.live.view import view_quality
from edge.pipeline import Pipeline, Spent
from edge.results import Detection, FaceResult
from edge.tracking import Track, Tracker

__all__ = ["Follower"]

#: Detections that a face was missed for, after which it may be another's: it is looked at anew.
_LONG = 5
_Value = TypeVar("_Value")


class Follower:
    """Follows faces and asks each stage about each of them when its turn comes.

    Args:
        pipeline: its face stages are used.
        settings: schedules, and how faces are followed.
    """

    def __init__(self, pipeline: Pipeline, settings: LiveSettings) -> None:
        self._pipeline, self._settings = pipeline, settings
        self._tracker = Tracker(confirm=settings.confirm, keep=settings.keep)
        self._known: dict[Track, Known] = {}
        self._frames = 0

    def look(
        self, frame: Frame, found: list[Detection] | None, reduction: Reduction, spent: Spent
    ) -> tuple[FaceResult, ...]:
        """Say everything about the faces of a frame.

        Args:
            frame: later than the one before.
            found: its faces; None when nobody looked for any: they are carried on, and no stage
                looks at a place where a face may not be.
            reduction: what is left out.
            spent: the time of each stage is added to.

        Returns:
            From the largest to the smallest, as ``found`` is.
        """
        self._frames += 1
        if found is None:
            tracks = self._tracker.carry(frame.captured_ns)
        else:
            tracks = self._tracker.see(found, frame.captured_ns)
            self._remember(self._tracker.tracks)
        known = [self._known[track] for track in tracks]
        for one in self._known.values():
            one.grow_older(reduction)
        if found is not None:
            self._ask(frame, list(zip(tracks, known, strict=True)), spent)
            self._frames = 0
        faces = [track.face for track in tracks]
        genders = self._pipeline.gender(frame, faces, spent)
        landmarks = self._pipeline.landmarks(frame, faces, spent)
        return tuple(
            one.result(frame, track, spent, gender=gender, landmarks=points)
            for track, one, gender, points in zip(tracks, known, genders, landmarks, strict=True)
        )

    def _remember(self, tracks: Iterable[Track]) -> None:
        """Begin with new tracks and forget those that ended."""
        self._known = {
            track: self._known.get(track) or Known(self._pipeline, self._settings)
            for track in tracks
        }

    def _ask(self, frame: Frame, faces: list[tuple[Track, Known]], spent: Spent) -> None:
        """Let each stage look at the faces whose turn it is."""
        for track, known in faces:
            if track.gap >= _LONG:
                known.doubt()
        views = [view_quality(track.face) for track, _ in faces]
        urgent = [known.urgent(view) for (_, known), view in zip(faces, views, strict=True)]
        turns = [
            (i, stage, turn)
            for i, (_, known) in enumerate(faces)
            for stage, turn in known.turns.items()
        ]
        for chosen in choose([turn for _, _, turn in turns], frames=self._frames):
            i, stage, _ = turns[chosen]
            urgent[i].add(stage)
        self._run(
            frame,
            [
                _Asked(known, track.face, view, stages)
                for (track, known), view, stages in zip(faces, views, urgent, strict=True)
            ],
            spent,
        )

    def _run(self, frame: Frame, asked: list[_Asked], spent: Spent) -> None:
        """Run stage by stage; where a mask came or went, all that follow look at the face."""
        pipeline = self._pipeline
        some = [one for one in asked if "mask" in one.stages]
        for one, mask in _each(some, pipeline.mask(frame, _faces(some), spent)):
            if one.known.add_mask(mask, one.view):
                one.stages |= one.known.turns.keys()
        some = [one for one in asked if "reconstruct" in one.stages and one.known.covered]
        for one, painting in _each(some, pipeline.reconstruct(frame, _faces(some), spent)):
            one.known.add_painting(painting)
        some = [one for one in asked if "identify" in one.stages]
        covered = [one.known.covered for one in some]
        embeddings = pipeline.embed(frame, _faces(some), spent, covered=covered)
        for one, embedding in _each(some, embeddings):
            assert embedding is not None  # there is a turn, so there is the stage
            one.known.add_embedding(embedding, one.view, spent)
        some = [one for one in asked if "emotion" in one.stages]
        for one, emotion in _each(some, pipeline.emotion(frame, _faces(some), spent)):
            assert emotion is not None  # there is a turn, so there is the stage
            one.known.add_emotion(emotion)


@dataclass(slots=True)
class _Asked:
    """A face that is seen now, how well, and the stages that are to look at it."""

    known: Known
    face: Detection
    view: float
    stages: set[str]


def _faces(asked: list[_Asked]) -> list[Detection]:
    return [one.face for one in asked]


def _each(asked: list[_Asked], answers: Sequence[_Value]) -> zip[tuple[_Asked, _Value]]:
    return zip(asked, answers, strict=True)
