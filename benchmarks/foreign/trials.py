"""How strangers' networks are judged, and fed for calibration, on the project's data packs.

Faces for identity and landmarks are found by YuNet in its own float file (``face_finder``), as for
the packs' reference figures, for the original and for every artefact alike. Emotion and gender
read the whole picture, which is a crop of a face already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from benchmarks.faces import FaceFinder, whole_picture
from benchmarks.figures import Figures
from benchmarks.foreign import mask_state, xception
from benchmarks.foreign.aizoo import Aizoo
from benchmarks.foreign.mobilefacenet import MobileFaceNet
from benchmarks.foreign.network import Feed, Trial
from benchmarks.foreign.paired import Outcomes, detections
from benchmarks.foreign.pfld import Pfld
from benchmarks.foreign.picture import Arrays, Picture, Run
from benchmarks.foreign.ultralight import UltraLight
from benchmarks.foreign.xception import Xception
from benchmarks.foreign.yunet import YuNet
from benchmarks.packs import Pack
from benchmarks.tasks import detect, emotion, gender, identity, landmarks
from edge.frames import Frame
from edge.results import Detection

__all__ = [
    "EMOTION",
    "FACES",
    "FINDER",
    "GENDER",
    "LANDMARKS",
    "LANDMARK_FACES",
    "detection",
    "face_finder",
    "frames",
    "mask_states",
    "never",
    "verification",
    "whole_pictures",
]

#: File of the network that finds faces for the others; it takes every multiple of 32.
FINDER = "yunet/yunet_n_dynamic.onnx"
#: Beside a picture, so that YuNet sees a face that fills its crop (the LFW pack's README).
_BORDER = 0.25


def face_finder(run: Run) -> FaceFinder:
    """Find the most central face of each picture.

    Args:
        run: of the file ``FINDER``, at whatever size the picture has.
    """
    return FaceFinder(YuNet(run, None, border=_BORDER))


def never(inputs: Arrays) -> NoReturn:
    """Stand in for an engine where only a network's input is wanted.

    Raises:
        RuntimeError: always: whoever runs what was only to be fed has a defect.
    """
    raise RuntimeError("a network that is only fed is not run")


def detection(build: Callable[[Run], Callable[[Frame], list[Detection]]]) -> Trial:
    """Judge a detector: the faces of scenes, and nothing else."""

    metrics = ("recall", "precision")

    def judge(run: Run, pack: Pack, finder: FaceFinder, limit: int | None) -> Figures:
        return detect.evaluate(build(run), pack, limit=limit)

    def train(run: Run, pack: Pack, finder: FaceFinder, limit: int | None) -> Figures:
        return detect.evaluate(build(run), pack, split="train", limit=limit)

    def outcomes(run: Run, pack: Pack, limit: int | None) -> Outcomes:
        return detections(build(run), pack, limit=limit)

    return Trial("detect_eval", metrics, judge, outcomes, Trial("detect_train", metrics, train))


def mask_states(build: Callable[[Run], Aizoo | UltraLight]) -> Trial:
    """Judge a detector by what it says about masks."""

    def judge(run: Run, pack: Pack, finder: FaceFinder, limit: int | None) -> Figures:
        return mask_state.evaluate(build(run), pack, limit=limit)

    return Trial("mask3", ("accuracy",), judge)


def verification(picture: Picture) -> tuple[Trial, Trial]:
    """Judge an embedding on bare faces and on masked ones."""

    def judge(run: Run, pack: Pack, finder: FaceFinder, limit: int | None) -> Figures:
        embedder = identity.Embedder(finder, MobileFaceNet(run, picture))
        return identity.evaluate(embedder, pack, limit=limit)

    return (
        Trial("lfw", ("accuracy",), judge),
        Trial("masked_identity_mfr2", ("accuracy",), judge),
    )


def frames(pack: str, prepare: Callable[[Frame], Arrays]) -> Feed:
    """Feed a network that reads whole frames."""
    return Feed(pack, "train", lambda frame, pack, finder: prepare(frame))


def whole_pictures(pack: str) -> Feed:
    """Feed an XCEPTION network with crops of faces."""
    network = Xception(never, xception.EMOTIONS)

    def prepare(frame: Frame, pack: Pack, finder: FaceFinder) -> Arrays:
        return network.prepare(frame, whole_picture(frame.image))

    return Feed(pack, "train", prepare)


def _whole_finder() -> FaceFinder:
    """Take every picture as a face by itself."""
    return FaceFinder(lambda frame: [])


def _emotion(run: Run, pack: Pack, finder: FaceFinder, limit: int | None) -> Figures:
    network = Xception(run, xception.EMOTIONS)
    return emotion.evaluate(_whole_finder(), network, pack, limit=limit)


def _gender(run: Run, pack: Pack, finder: FaceFinder, limit: int | None) -> Figures:
    network = Xception(run, xception.GENDERS)
    return gender.evaluate(_whole_finder(), network, pack, limit=limit)


def _landmarks(run: Run, pack: Pack, finder: FaceFinder, limit: int | None) -> Figures:
    return landmarks.evaluate(finder, Pfld(run), pack, limit=limit)


def _aligned(frame: Frame, pack: Pack, finder: FaceFinder) -> Arrays:
    # The pack's faces are tight crops with YuNet's own points: where they end, repeat the border.
    points = pack.points5(frame.source.removeprefix(f"{pack.folder}/"))
    found = whole_picture(frame.image)
    found = Detection(found.box_xywh, 1.0, points)
    return MobileFaceNet(never, replicate=True).prepare(frame, found)


def _boxed(frame: Frame, pack: Pack, finder: FaceFinder) -> Arrays:
    return Pfld(never).prepare(frame, finder.find(frame.image, frame.source).detection)


EMOTION = Trial("emotions_fer", ("accuracy",), _emotion)
GENDER = Trial("gender_utk", ("accuracy",), _gender)
LANDMARKS = Trial("landmarks68", ("nme",), _landmarks)
FACES = Feed("faces", "train", _aligned)
LANDMARK_FACES = Feed("landmarks68", "train", _boxed)
