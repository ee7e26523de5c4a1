"""What the tests of live work share: faces anywhere, frames by hand, a scripted pipeline."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.frames import Frame
from edge.geometry import ARCFACE_112
from edge.pipeline import Spent
from edge.results import (
    STAGES,
    Detection,
    Emotion,
    FaceResult,
    Gender,
    Identity,
    MaskState,
    Painting,
    StageTime,
)

__all__ = ["ByHand", "Scripted", "frame_at", "frontal"]

_BLACK = np.zeros((4, 4, 3), np.uint8)


def frontal(x: float, y: float, side: float = 100.0) -> Detection:
    """Return a face that looks into the camera, its box a square with its corner at (x, y)."""
    points = ARCFACE_112 * (side / 112) + (x, y)
    box = np.array([x, y, side, side], np.float32)
    return Detection(box, 0.9, points.astype(np.float32))


def frame_at(index: int, *, fps: float = 10.0) -> Frame:
    """Return a black frame, captured when a camera of so many frames a second would."""
    return Frame(_BLACK, index, round(index * 1e9 / fps) + 1, "by hand")


class ByHand:
    """Frames that a test puts there: no camera, and the rules of one.

    Attributes:
        dropped: what a test says was dropped.
        error: raised by ``take``, once it is set.
        taken: released for each frame that is taken.
    """

    def __init__(self, frames: Iterable[Frame] = (), *, end: bool = False) -> None:
        self.dropped = 0
        self.error: Exception | None = None
        self.taken = threading.Semaphore(0)
        self._frames = list(frames)
        self._end = end
        self._changed = threading.Condition()

    @property
    def ended(self) -> bool:
        """Whether no frame is left and none will come."""
        with self._changed:
            return self._end and not self._frames

    def put(self, *frames: Frame) -> None:
        """Let frames come, all of which are taken in turn."""
        with self._changed:
            self._frames += frames
            self._changed.notify_all()

    def end(self) -> None:
        """Let no more frames come."""
        with self._changed:
            self._end = True
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Frame | None:
        """Return the next frame; None when none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._end or self.error, timeout_s)
            if self.error is not None:
                raise self.error
            if not self._frames:
                return None
            self.taken.release()
            return self._frames.pop(0)


class Scripted:
    """A pipeline whose answers a test sets; it counts the looks of each stage.

    Attributes:
        faces: what ``detect`` finds.
        state, person, feeling: what every face is taken for at the moment.
        looks: how often each stage looked.
        inside: when set, ``detect`` says so and waits for ``go_on``.
    """

    def __init__(self, *faces: Detection, stages: tuple[str, ...] = STAGES) -> None:
        self.faces = list(faces)
        self.state, self.person, self.feeling = "unmasked", "Ada", "neutral"
        self.embedding: NDArray[np.float32] = np.eye(1, 4, dtype=np.float32)[0]
        self.looks: Counter[str] = Counter()
        self.routes: list[bool] = []
        self.stages = dict.fromkeys(stages)
        self.detect_s = self.mask_s = 0.0
        self.failure: Exception | None = None
        self.inside = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def unspent(self) -> Spent:
        return dict.fromkeys(STAGES, StageTime())

    def detect(self, frame: Frame, spent: Spent) -> list[Detection]:
        self.inside.set()
        self.go_on.wait(5)
        if self.failure is not None:
            raise self.failure
        time.sleep(self.detect_s)
        self._look("detect", spent)
        return list(self.faces)

    def mask(self, frame: Frame, faces: Sequence[Detection], spent: Spent) -> list[MaskState]:
        time.sleep(self.mask_s * len(faces))
        self._look("mask", spent, len(faces))
        return [MaskState(self.state, 0.9)] * len(faces)

    def reconstruct(
        self, frame: Frame, faces: Sequence[Detection], spent: Spent
    ) -> list[Painting | None]:
        self._look("reconstruct", spent, len(faces))
        covered = np.zeros((2, 2), np.uint8)
        return [Painting(np.full((2, 2, 3), 7, np.uint8), covered, np.eye(2, 3)) for _ in faces]

    def repaint(
        self, frame: Frame, face: Detection, painting: Painting, spent: Spent
    ) -> Painting | None:
        self.looks["repaint"] += 1
        return painting

    def embed(
        self, frame: Frame, faces: Sequence[Detection], spent: Spent, *, covered: Sequence[bool]
    ) -> list[NDArray[np.float32]]:
        self._look("identify", spent, len(faces))
        self.routes += covered
        return [self.embedding] * len(faces)

    def match(
        self, embedding: NDArray[np.float32], spent: Spent, *, covered: bool
    ) -> Identity | None:
        return Identity(self.person, 0.5, reconstructed=False)

    def emotion(self, frame: Frame, faces: Sequence[Detection], spent: Spent) -> list[Emotion]:
        self._look("emotion", spent, len(faces))
        return [Emotion(self.feeling, 0.8)] * len(faces)

    def gender(
        self, frame: Frame, faces: Sequence[Detection], spent: Spent
    ) -> Sequence[Gender | None]:
        return [None] * len(faces)

    def landmarks(self, frame: Frame, faces: Sequence[Detection], spent: Spent) -> list[None]:
        return [None] * len(faces)

    def look(
        self,
        frame: Frame,
        faces: Sequence[Detection],
        spent: Spent,
        *,
        emotion: bool = True,
        reconstruct: bool = True,
    ) -> tuple[FaceResult, ...]:
        none = [None] * len(faces)
        masks = self.mask(frame, faces, spent)
        paintings = self.reconstruct(frame, faces, spent) if reconstruct else none
        emotions = self.emotion(frame, faces, spent) if emotion else none
        return tuple(
            FaceResult(face, mask, painting, emotion=feeling)
            for face, mask, painting, feeling in zip(faces, masks, paintings, emotions, strict=True)
        )

    def _look(self, stage: str, spent: Spent, faces: int = 1) -> None:
        if not faces:
            return
        self.looks[stage] += faces
        spent[stage] += StageTime(runs=faces)
