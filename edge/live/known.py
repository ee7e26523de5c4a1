"""What is known of one face that is followed, and how it is asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.frames import Frame
from edge.live.schedule import Turn
from edge.live.settings import LiveSettings, Reduction
from edge.live.votes import Embeddings, LabelVote, NameVote
from edge.pipeline import Pipeline, Spent, is_covered
from edge.results import Ages, Emotion, FaceResult, Gender, MaskState, Painting
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
            if stage != "reconstruct" or self.covered
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

    @property
    def covered(self) -> bool:
        """Whether the face goes the way of the masked ones."""
        return is_covered(self._mask.label)

    def add_mask(self, answer: MaskState, view: float) -> bool:
        """Take an answer.

        Args:
            answer: of now.
            view: how well the face was seen, 0..1.

        Returns:
            Whether the mask came or went: all other stages are to look at once.
        """
        new, before = not self._mask.label, self.covered
        self._mask.add(answer.state, answer.score)
        self._turns["mask"].looked(view, doubt=self._mask.doubt)
        if not new and self.covered == before:
            return False
        # Another network embeds the face now, and there is something else to paint.
        self._embeddings.clear()
        self._painting = None
        for stage in self._turns.keys() - {"mask"}:
            self._turns[stage].reset()
        return True

    def add_painting(self, painting: Painting | None) -> None:
        """Take what was painted; None where nothing was to paint."""
        self._painting = painting
        self._turns["reconstruct"].looked(0.0)

    def add_embedding(self, embedding: NDArray[np.float32], view: float, spent: Spent) -> None:
        """Take an embedding of the network for such faces, and look for its person."""
        self._embedding = self._embeddings.add(embedding)
        identity = self._pipeline.match(self._embedding, spent, covered=self.covered)
        if identity is not None:
            self._name.add(identity)
        self._turns["identify"].looked(view, doubt=self._name.doubt)

    def add_emotion(self, answer: Emotion) -> None:
        """Take an answer."""
        self._emotion.add(answer.label, answer.score)
        self._turns["emotion"].looked(0.0)

    def result(
        self,
        frame: Frame,
        track: Track,
        spent: Spent,
        *,
        gender: Gender | None,
        landmarks: NDArray[np.float32] | None,
    ) -> FaceResult:
        """Say what is known, about where the face is now.

        What changes with every pixel is not remembered: landmarks and gender are of this frame,
        and a remembered painting is put into this frame's own pixels.
        """
        face, painting, turns = track.face, self._painting, self.turns
        if painting is not None and turns["reconstruct"].age:
            painting = self._pipeline.repaint(frame, face, painting, spent)
        feeling = Emotion(self._emotion.label, self._emotion.score)
        return FaceResult(
            detection=face,
            mask=MaskState(self._mask.label, self._mask.score),
            painting=painting,
            identity=self._name.identity,
            emotion=feeling if feeling.label else None,
            embedding=self._embedding,
            gender=gender,
            landmarks=landmarks,
            track=track.number,
            ages=Ages(box=track.age, **{stage: turn.age for stage, turn in turns.items()}),
        )
