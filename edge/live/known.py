"""What is known of one face that is followed, and how it is asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.frames import Frame
from edge.live.schedule import Turn
from edge.live.settings import LiveSettings, Reduction
from edge.live.votes import Embeddings, LabelVote, NameVote
from edge.pipeline import Pipeline, Spent, is_covered
from edge.results import Ages, Detection, Emotion, FaceResult, MaskState, Painting
from edge.tracking import Track

__all__ = ["Known"]

#: Answers that speak for a mask's state: two agree before it changes.
_MASKS = 3
#: Answers that an emotion is smoothed over.
_EMOTIONS = 5
#: Embeddings that are averaged.
_EMBEDDINGS = 5
#: Stages that ask whose face it is, and that a clearly better view is worth asking again.
_BY_VIEW = frozenset({"mask", "identify"})


class Known:
    """The votes of one track, and whose turn it is.

    Args:
        pipeline: says which stages there are.
        settings: how often each looks.
    """

    def __init__(self, pipeline: Pipeline, settings: LiveSettings) -> None:
        every = {
            "mask": settings.mask_every,
            "reconstruct": settings.reconstruct_every,
            "identify": settings.identify_every,
            "emotion": settings.emotion_every,
        }
        self._pipeline = pipeline
        self._every = {stage: n for stage, n in every.items() if stage in pipeline.stages}
        self._turns: dict[str, Turn] = {}
        self._mask = LabelVote(_MASKS)
        self._emotion = LabelVote(_EMOTIONS)
        self._name = NameVote()
        self._embeddings = Embeddings(_EMBEDDINGS)
        self._embedding: NDArray[np.float32] | None = None
        self._painting: Painting | None = None

    @property
    def turns(self) -> dict[str, Turn]:
        """Whose turn comes, by the stage's name; nobody paints a face that shows itself."""
        return {
            stage: turn
            for stage, turn in self._turns.items()
            if stage != "reconstruct" or self._covered
        }

    def grow_older(self, reduction: Reduction) -> None:
        """Go on by one frame, with what the reduction leaves."""
        for stage, every in self._every.items():
            if stage in self._turns:
                self._turns[stage].age += 1
            else:
                self._turns[stage] = Turn(every, settle=stage != "reconstruct")
        if not reduction.emotion:
            self._turns.pop("emotion", None)
            self._emotion = LabelVote(_EMOTIONS)
        if not reduction.reconstruct:
            self._turns.pop("reconstruct", None)
            self._painting = None

    def doubt(self) -> None:
        """Look again at once: it may be another face."""
        for stage in self._turns.keys() & _BY_VIEW:
            self._turns[stage].doubt = True

    def urgent(self, view: float) -> set[str]:
        """Return the stages that cannot wait.

        Args:
            view: how well the face is seen now, 0..1.
        """
        return {
            stage
            for stage, turn in self.turns.items()
            if turn.urgent(view if stage in _BY_VIEW else 0.0)
        }

    def ask(
        self, frame: Frame, face: Detection, stages: set[str], view: float, spent: Spent
    ) -> None:
        """Let stages look at the face; where its mask came or went, all of them.

        Args:
            frame: of now.
            face: seen in it.
            stages: of ``turns``.
            view: how well it is seen, 0..1.
            spent: the time of each stage is added to.
        """
        if "mask" in stages and self._ask_mask(frame, face, view, spent):
            stages = stages | set(self.turns)
        if "reconstruct" in stages and self._covered:
            self._painting = self._pipeline.reconstruct(frame, face, spent)
            self._turns["reconstruct"].looked(0.0)
        if "identify" in stages:
            self._ask_name(frame, face, view, spent)
        if "emotion" in stages:
            self._ask_emotion(frame, face, spent)

    def result(self, frame: Frame, track: Track, spent: Spent) -> FaceResult:
        """Say what is known, about where the face is now.

        What changes with every pixel is not remembered: landmarks and gender are asked each time,
        and a remembered painting is put into this frame's own pixels.
        """
        pipeline, face = self._pipeline, track.face
        painting, turns = self._painting, self.turns
        if painting is not None and turns["reconstruct"].age:
            painting = pipeline.repaint(frame, face, painting, spent)
        feeling = Emotion(self._emotion.label, self._emotion.score)
        return FaceResult(
            detection=face,
            mask=MaskState(self._mask.label, self._mask.score),
            painting=painting,
            identity=self._name.identity,
            emotion=feeling if feeling.label else None,
            embedding=self._embedding,
            gender=pipeline.gender(frame, face, spent),
            landmarks=pipeline.landmarks(frame, face, spent),
            track=track.number,
            ages=Ages(box=track.age, **{stage: turn.age for stage, turn in turns.items()}),
        )

    @property
    def _covered(self) -> bool:
        return is_covered(self._mask.label)

    def _ask_mask(self, frame: Frame, face: Detection, view: float, spent: Spent) -> bool:
        """Ask for the mask; return whether it came or went, or was never asked for."""
        new, before = not self._mask.label, self._covered
        answer = self._pipeline.mask(frame, face, spent)
        self._mask.add(answer.state, answer.score)
        self._turns["mask"].looked(view, doubt=self._mask.doubt)
        if not new and self._covered == before:
            return False
        # Another network embeds the face now, and there is something else to paint.
        self._embeddings.clear()
        self._painting = None
        for stage in self._turns.keys() - {"mask"}:
            self._turns[stage].reset()
        return True

    def _ask_name(self, frame: Frame, face: Detection, view: float, spent: Spent) -> None:
        covered = self._covered
        embedding = self._pipeline.embed(frame, face, spent, covered=covered)
        assert embedding is not None  # there is a turn, so there is the stage
        self._embedding = self._embeddings.add(embedding)
        identity = self._pipeline.match(self._embedding, spent, covered=covered)
        if identity is not None:
            self._name.add(identity)
        self._turns["identify"].looked(view, doubt=self._name.doubt)

    def _ask_emotion(self, frame: Frame, face: Detection, spent: Spent) -> None:
        answer = self._pipeline.emotion(frame, face, spent)
        assert answer is not None  # there is a turn, so there is the stage
        self._emotion.add(answer.label, answer.score)
        self._turns["emotion"].looked(0.0)
