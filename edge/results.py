"""What the pipeline says about a frame; ``to_json`` is the documented schema."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EXTRAS",
    "SCHEMA",
    "STAGES",
    "Ages",
    "Detection",
    "Emotion",
    "FaceResult",
    "FrameResult",
    "Gender",
    "Identity",
    "Live",
    "MaskState",
    "Painting",
    "StageTime",
]

#: Name and version of the JSON line; described in docs/results.md.
SCHEMA = "unveil-edge.frame/1"
#: Stages in the order of the river; keys of the timings.
STAGES = ("detect", "mask", "reconstruct", "identify", "emotion")
#: Stages behind them that few bundles have; only those that a bundle has are in the timings.
EXTRAS = ("gender", "landmarks")


@dataclass(frozen=True, slots=True)
class Detection:
    """A face in a frame.

    Attributes:
        box_xywh: float32 ``[4]``: left, top, width, height in frame pixels, forehead to chin.
        score: 0..1, the detector's confidence.
        points_5x2: float32 ``[5, 2]``, ``(x, y)`` in frame pixels: eye, eye, nose tip, mouth
            corner, mouth corner; left before right as the viewer sees them.
    """

    box_xywh: NDArray[np.float32]
    score: float
    points_5x2: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MaskState:
    """``state`` is ``masked``, ``unmasked`` or ``incorrect``; ``score`` its probability."""

    state: str
    score: float


@dataclass(frozen=True, slots=True)
class Identity:
    """The nearest person of the gallery.

    Attributes:
        person: name, or None when nobody is near enough.
        similarity: cosine to the nearest template, -1..1. It is no probability.
        reconstructed: whether the embedding was taken from painted pixels.
    """

    person: str | None
    similarity: float
    reconstructed: bool


@dataclass(frozen=True, slots=True)
class Emotion:
    """``label`` is one of the contract's labels; ``score`` its probability."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Gender:
    """``label`` is ``female`` or ``male``, a guess from looks; ``score`` its probability."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Painting:
    """The face with its covered part painted, upright in the network's own crop.

    Attributes:
        image_bgr: uint8 ``[S, S, 3]``, BGR; where ``map_u8`` is 0 these are the frame's pixels.
        map_u8: uint8 ``[S, S]``, 255 where the mask covers the face, else 0.
        matrix: float64 ``[2, 3]``, from frame pixels to crop pixels.
    """

    image_bgr: NDArray[np.uint8]
    map_u8: NDArray[np.uint8]
    matrix: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ages:
    """How many frames ago what is said of a tracked face was seen; 0 is this frame.

    A box of age 2 was carried on from where the face was two frames before.
    """

    box: int = 0
    mask: int = 0
    reconstruct: int = 0
    identify: int = 0
    emotion: int = 0


@dataclass(frozen=True, slots=True)
class FaceResult:
    """Everything said about one face. ``painting`` and ``embedding`` never reach JSON.

    ``landmarks`` is float32 ``[68, 2]``, ``(x, y)`` in frame pixels, see ``stages.landmarks``. It
    and ``gender`` reach JSON only where a bundle has such a network. ``track``, a number that a
    face keeps from frame to frame, and ``ages`` are there only where faces are followed.
    """

    detection: Detection
    mask: MaskState
    painting: Painting | None = None
    identity: Identity | None = None
    emotion: Emotion | None = None
    embedding: NDArray[np.float32] | None = None
    gender: Gender | None = None
    landmarks: NDArray[np.float32] | None = None
    track: int | None = None
    ages: Ages | None = None

    def to_json(self) -> dict[str, object]:
        """Return the face's part of the line; numbers rounded for a reader."""
        identity, emotion = self.identity, self.emotion
        extras: dict[str, object] = {}
        if self.gender is not None:
            extras["gender"] = {"label": self.gender.label, "score": round(self.gender.score, 4)}
        if self.landmarks is not None:
            points = self.landmarks.astype(np.float64).round(1)
            extras["landmarks"] = points.tolist()
        if self.track is not None:
            extras["track"] = self.track
        if self.ages is not None:
            extras["age_frames"] = asdict(self.ages)
        return {
            "box": [round(float(v), 1) for v in self.detection.box_xywh],
            "score": round(self.detection.score, 4),
            "mask": {"state": self.mask.state, "score": round(self.mask.score, 4)},
            "reconstructed": self.painting is not None,
            "identity": None
            if identity is None
            else {
                "person": identity.person,
                "similarity": round(identity.similarity, 4),
                "reconstructed": identity.reconstructed,
            },
            "emotion": None
            if emotion is None
            else {"label": emotion.label, "score": round(emotion.score, 4)},
            **extras,
        }


@dataclass(frozen=True, slots=True)
class StageTime:
    """Nanoseconds that one stage took in one frame, summed over its faces.

    Attributes:
        pre_ns: from the frame to the networks' inputs.
        infer_ns: inside the engines.
        post_ns: from the networks' outputs to the stage's value.
        runs: how often the stage ran.
    """

    pre_ns: int = 0
    infer_ns: int = 0
    post_ns: int = 0
    runs: int = 0

    @property
    def total_ns(self) -> int:
        """Everything together."""
        return self.pre_ns + self.infer_ns + self.post_ns

    def __add__(self, other: StageTime) -> StageTime:
        """Return the sum, part by part."""
        return StageTime(
            self.pre_ns + other.pre_ns,
            self.infer_ns + other.infer_ns,
            self.post_ns + other.post_ns,
            self.runs + other.runs,
        )


@dataclass(frozen=True, slots=True)
class Live:
    """What a frame of a live source met on its way.

    Attributes:
        age_ns: from its capture to its result.
        dropped: frames between the one before it and this one that nobody looked at.
        reduced: what is left out at the moment to spare the board, such as ``emotion``.
    """

    age_ns: int
    dropped: int = 0
    reduced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FrameResult:
    """All faces of one frame, from the largest to the smallest, and where the time went.

    Attributes:
        stage_ns: the time of each of ``STAGES``.
        total_ns: of the whole frame, from its image in memory to this result.
        live: None for a source with an end.
    """

    frame: int
    source: str
    captured_ns: int
    faces: tuple[FaceResult, ...] = ()
    stage_ns: dict[str, StageTime] = field(default_factory=dict)
    total_ns: int = 0
    live: Live | None = None

    def to_json(self) -> dict[str, object]:
        """Return the line of docs/results.md."""
        live: dict[str, object] = {}
        if self.live is not None:
            live = {
                "age_ms": _milliseconds(self.live.age_ns),
                "dropped": self.live.dropped,
                "reduced": list(self.live.reduced),
            }
        return {
            "schema": SCHEMA,
            "frame": self.frame,
            "source": self.source,
            "captured_ns": self.captured_ns,
            "faces": [face.to_json() for face in self.faces],
            "timing_ms": {
                **{name: _milliseconds(time.total_ns) for name, time in self.stage_ns.items()},
                "total": _milliseconds(self.total_ns),
            },
            **live,
        }


def _milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)
