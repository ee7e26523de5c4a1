"""The order of the stages and who goes where; no input, no output.

detect ► mask ─ masked, incorrect ► reconstruct ► identity-masked ─► emotion
              └ unmasked ────────────────────────► identity ───────► emotion
and behind them, where a bundle has them: gender ► landmarks
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.errors import DataError
from edge.frames import Frame
from edge.owned import Owned
from edge.results import (
    EXTRAS,
    STAGES,
    Detection,
    Emotion,
    FaceResult,
    FrameResult,
    Gender,
    Identity,
    MaskState,
    Painting,
    StageTime,
)
from edge.stages.base import Stage
from edge.stages.identify import IdentifyStage
from edge.stages.opening import REQUIRED, open_stages
from edge.ways import Ways

if TYPE_CHECKING:
    from edge.gallery import Gallery

__all__ = ["MAX_FACES", "REQUIRED", "Pipeline", "Spent", "is_covered"]

#: Faces a frame that are looked at, the largest first: a bound on the time a frame takes.
MAX_FACES = 32

#: The time of each stage in one frame; the stages' methods add theirs to it.
Spent = dict[str, StageTime]
_Value = TypeVar("_Value")


class Pipeline(Owned):
    """Every network of a bundle, opened once.

    ``run`` does everything to a frame. Whoever wants to choose calls the stages one by one; each
    has its own engine, so that ``detect`` may run in one thread and the others in a second one.
    The gallery is asked by ``match`` alone, in the thread that opened it.

    Args:
        bundle: has at least the tasks of ``REQUIRED``. A task it lacks is passed over; without
            ``identity-masked`` every face goes through ``identity``.
        gallery: of the same embedding revision; None leaves ``FaceResult.identity`` None.
        ways: opens the networks; None takes the bundle's own choice, one thread an engine.
        embeddings: give ``FaceResult.embedding`` without a gallery too, for enrolment.

    Raises:
        BundleError: a required task is missing, or the networks do not fit together.
        DataError: the gallery is of another revision.
        UnavailableError: an engine's library is not installed.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        gallery: Gallery | None = None,
        ways: Ways | None = None,
        embeddings: bool = False,
    ) -> None:
        self._gallery = gallery
        self._stages = open_stages(
            bundle, ways=ways or Ways(), embeddings=embeddings or gallery is not None
        )
        try:
            _check_gallery(gallery, self._stages.plain)
        except DataError:
            self.close()
            raise

    def run(self, frame: Frame) -> FrameResult:
        """Say everything about one frame.

        Returns:
            Faces from the largest to the smallest, at most ``MAX_FACES``, and where the time went.
        """
        start, spent = time.perf_counter_ns(), self.unspent()
        faces = tuple(self.look(frame, face, spent) for face in self.detect(frame, spent))
        total = time.perf_counter_ns() - start
        return FrameResult(frame.index, frame.source, frame.captured_ns, faces, spent, total)

    def look(
        self,
        frame: Frame,
        face: Detection,
        spent: Spent,
        *,
        emotion: bool = True,
        reconstruct: bool = True,
    ) -> FaceResult:
        """Send one face through all stages after detection, or leave two of them out.

        Crops are cut in pairs: behind a network the frame is in no cache any more. That saves a
        fifth of the time outside the engines.
        """
        feeling = self._stages.emotion if emotion else None
        if feeling is not None:
            feeling.ready(frame, face)
        mask = self.mask(frame, face, spent)
        covered = is_covered(mask.state)
        route = self._route(covered)
        if route is not None:
            route.ready(frame, face)
        painting = self.reconstruct(frame, face, spent) if covered and reconstruct else None
        embedding = None if route is None else _answer("identify", route, spent)
        return FaceResult(
            detection=face,
            mask=mask,
            painting=painting,
            identity=self.match(embedding, spent, covered=covered),
            emotion=None if feeling is None else _answer("emotion", feeling, spent),
            embedding=embedding,
            gender=self.gender(frame, face, spent),
            landmarks=self.landmarks(frame, face, spent),
        )

    def warm_up(self) -> None:
        """Run every network once, on a drawn face, so that the first frame takes no longer.

        Raises:
            BundleError: a network does not run.
        """
        frame, face = _drawn_face()
        for stage in self.stages.values():
            stage.warm_up(frame, face)

    def unspent(self) -> Spent:
        """Return no time for each stage of ``STAGES``, and of ``EXTRAS`` for those there are."""
        extras = (name for name in EXTRAS if name in self.stages)
        return dict.fromkeys((*STAGES, *extras), StageTime())

    def detect(self, frame: Frame, spent: Spent) -> list[Detection]:
        """Return a frame's faces from the largest to the smallest, at most ``MAX_FACES``."""
        found = _timed("detect", self._stages.detect, frame, None, spent)
        found.sort(key=lambda face: float(face.box_xywh[2] * face.box_xywh[3]), reverse=True)
        return found[:MAX_FACES]

    def mask(self, frame: Frame, face: Detection, spent: Spent) -> MaskState:
        """Say whether a face wears a mask; that decides who embeds it and whether it is painted."""
        return _timed("mask", self._stages.mask, frame, face, spent)

    def reconstruct(self, frame: Frame, face: Detection, spent: Spent) -> Painting | None:
        """Paint what is covered; None where nothing is, or the bundle has no network for it."""
        return _asked("reconstruct", self._stages.reconstruct, frame, face, spent)

    def repaint(
        self, frame: Frame, face: Detection, painting: Painting, spent: Spent
    ) -> Painting | None:
        """Put an earlier painting of the same face into this frame; no network runs."""
        stage = self._stages.reconstruct
        if stage is None:
            return None
        start = time.perf_counter_ns()
        renewed = stage.repaint(frame, face, painting)
        spent["reconstruct"] += StageTime(pre_ns=time.perf_counter_ns() - start)
        return renewed

    def embed(
        self, frame: Frame, face: Detection, spent: Spent, *, covered: bool
    ) -> NDArray[np.float32] | None:
        """Return a face's embedding, float32 ``[D]`` of length 1; None if nobody asked for any.

        Args:
            frame: read only.
            face: in it.
            spent: the time is added to.
            covered: whether the face goes through the network for masked ones.
        """
        return _asked("identify", self._route(covered), frame, face, spent)

    def match(
        self, embedding: NDArray[np.float32] | None, spent: Spent, *, covered: bool
    ) -> Identity | None:
        """Look for the nearest person; None without a gallery.

        Args:
            embedding: float32 ``[D]`` of length 1.
            spent: the time is added to.
            covered: which network it came from: each has its own threshold.
        """
        stage = self._route(covered)
        if self._gallery is None or stage is None or embedding is None:
            return None
        start = time.perf_counter_ns()
        match = self._gallery.match(embedding, stage.contract.threshold)
        spent["identify"] += StageTime(post_ns=time.perf_counter_ns() - start)
        return Identity(match.person, match.similarity, reconstructed=False)

    def emotion(self, frame: Frame, face: Detection, spent: Spent) -> Emotion | None:
        """Say which emotion a face shows; None if the bundle has no network for it."""
        return _asked("emotion", self._stages.emotion, frame, face, spent)

    def gender(self, frame: Frame, face: Detection, spent: Spent) -> Gender | None:
        """Guess a gender; None if the bundle has no network for it."""
        return _asked("gender", self._stages.gender, frame, face, spent)

    def landmarks(self, frame: Frame, face: Detection, spent: Spent) -> NDArray[np.float32] | None:
        """Find 68 points, float32 ``[68, 2]``; None if the bundle has no network for it."""
        return _asked("landmarks", self._stages.landmarks, frame, face, spent)

    @property
    def stages(self) -> Mapping[str, Stage[Any]]:
        """The stages that the bundle gave, by name; each may be run alone."""
        return self._stages.named()

    def close(self) -> None:
        """Free the engines; a second call does nothing."""
        self._stages.close()

    def _route(self, covered: bool) -> IdentifyStage | None:
        return self._stages.masked if covered else self._stages.plain


def is_covered(state: str) -> bool:
    """Tell whether a face of this mask state goes the way of the masked ones."""
    return state != "unmasked"


def _timed(
    name: str, stage: Stage[_Value], frame: Frame, face: Detection | None, spent: Spent
) -> _Value:
    """Run a stage and add its time."""
    stage.ready(frame, face)
    return _answer(name, stage, spent)


def _answer(name: str, stage: Stage[_Value], spent: Spent) -> _Value:
    """Run a stage that was made ready, and add its time."""
    value = stage.answer()
    spent[name] += stage.time
    return value


def _asked(
    name: str, stage: Stage[_Value] | None, frame: Frame, face: Detection, spent: Spent
) -> _Value | None:
    """Run a stage, if there is one, and add its time."""
    return None if stage is None else _timed(name, stage, frame, face, spent)


def _drawn_face() -> tuple[Frame, Detection]:
    """Return a picture of a drawn person with a mask, and where its face is."""
    # Only here: whoever never warms up needs no drawing.
    from edge.sources.cartoon import POINTS_5X2, draw_bust

    image, _ = draw_bust(np.random.default_rng(0), masked=True)
    points = POINTS_5X2.astype(np.float32)
    (left, top), (right, bottom) = points.min(0), points.max(0)
    # A face is about twice as wide and two and a half times as high as its five points reach.
    width, height = 2 * (right - left), 2.4 * (bottom - top)
    box = np.array([(left + right - width) / 2, top - height / 3, width, height], np.float32)
    return Frame(image, 0, time.monotonic_ns(), "drawn"), Detection(box, 1.0, points)


def _check_gallery(gallery: Gallery | None, plain: IdentifyStage | None) -> None:
    """Refuse a gallery whose templates cannot be compared with the bundle's embeddings."""
    if gallery is None or plain is None or gallery.revision == plain.contract.revision:
        return
    raise DataError(
        f"gallery {gallery.path}: holds embeddings of the revision {gallery.revision!r}, the "
        f"bundle makes {plain.contract.revision!r}",
        hint="enrol everybody again with this bundle, into a new gallery",
        code="gallery.revision",
    )
