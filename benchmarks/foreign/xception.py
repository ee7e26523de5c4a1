"""mini- and big-XCEPTION: emotion, and gender, from a grey face.

Source: Arriaga, Ploeger, Valdenegro, "Real-time Convolutional Neural Networks for Emotion and
Gender Classification" (2017); github.com/oarriaga/face_classification: the scale in
``src/utils/preprocessor.py`` (x/255, - 0.5, * 2), the face box widened by 20 and 40 pixels for
emotion, 30 and 60 for gender, in ``src/image_emotion_gender_demo.py``, labels in
``src/utils/datasets.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.foreign.picture import Arrays, Picture, Run, rectangle
from edge.frames import Frame
from edge.results import Detection

__all__ = ["EMOTIONS", "GENDERS", "PICTURE", "Label", "Xception"]

PICTURE = Picture(64, 64, "GREY", 127.5, 127.5)
#: In the network's order, in this project's words.
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
GENDERS = ("female", "male")


@dataclass(frozen=True, slots=True)
class Label:
    """The likeliest label and its probability."""

    label: str
    score: float


class Xception:
    """Say what a face shows; the output is a softmax ``[1, len(labels)]``.

    Args:
        run: of the network.
        labels: in the network's order.
        widen_px: how far the box grows on each side, in x and in y; the authors' figure is for
            boxes of a Haar cascade in camera pictures, so a crop that is the face already has none.
    """

    def __init__(
        self, run: Run, labels: tuple[str, ...], *, widen_px: tuple[int, int] = (0, 0)
    ) -> None:
        self._run, self.labels, self._widen = run, labels, widen_px

    def prepare(self, frame: Frame, detection: Detection) -> Arrays:
        """Return the network's input for a face: its widened box, squeezed."""
        x, y = self._widen
        box = detection.box_xywh + np.array([-x, -y, 2 * x, 2 * y], np.float32)
        return (PICTURE.real(rectangle(frame.image, box, PICTURE.size_hw)),)

    def __call__(self, frame: Frame, detection: Detection) -> Label:
        """Return the likeliest label and its probability."""
        (shares,) = self._run(self.prepare(frame, detection))
        best = int(np.argmax(shares[0]))
        return Label(self.labels[best], float(shares[0, best]))
