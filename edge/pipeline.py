"""The order of the stages and who goes where; no input, no output.

detect ► mask ─ masked, incorrect ► reconstruct ► identity-masked ─► emotion
              └ unmasked ────────────────────────► identity ───────► emotion
and behind them, where a bundle has them: gender ► landmarks
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
from edge.stages.timed import Routes, Spent, answers, asked, embedded, timed
from edge.ways import Ways

if TYPE_CHECKING:
    from edge.gallery import Gallery

__all__ = ["MAX_FACES", "REQUIRED", "Pipeline", "Spent", "is_covered"]

#: Faces a frame that are looked at, the largest first: a bound on the time a frame takes.
MAX_FACES = 32


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
        self._timed = (*STAGES, *(name for name in EXTRAS if name in self.stages))
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
        faces = self.look(frame, self.detect(frame, spent), spent)
        total = time.perf_counter_ns() - start
        return FrameResult(frame.index, frame.source, frame.captured_ns, faces, spent, total)

    def look(
        self,
        frame: Frame,
        faces: Sequence[Detection],
        spent: Spent,
        *,
        emotion: bool = True,
        reconstruct: bool = True,
    ) -> tuple[FaceResult, ...]:
        """Send faces through all stages after detection, or leave two of them out.

        Stage by stage: an engine that takes several faces runs once for all of them, and on a
        processor a network's weights stay in the cache from face to face. The crops of two stages
        are cut one after the other, because behind a network the frame is in no cache any more:
        that saves a fifth of the time outside the engines.
        """
        if not faces:
            return ()
        feeling = self._stages.emotion if emotion else None
        if feeling is not None:
            feeling.ready(frame, faces)
        masks = self.mask(frame, faces, spent)
        covered = [is_covered(mask.state) for mask in masks]
        routes = self._ready_to_embed(frame, faces, covered)
        places = [i for i, is_one in enumerate(covered) if is_one and reconstruct]
        painted = self.reconstruct(frame, [faces[i] for i in places], spent)
        paintings = dict(zip(places, painted, strict=True))
        embeddings = embedded(routes, spent)
        emotions = [None] * len(faces) if feeling is None else answers("emotion", feeling, spent)
        genders, landmarks = self.gender(frame, faces, spent), self.landmarks(frame, faces, spent)
        return tuple(
            FaceResult(
                detection=face,
                mask=masks[i],
                painting=paintings.get(i),
                identity=self.match(embeddings.get(i), spent, covered=covered[i]),
                emotion=emotions[i],
                embedding=embeddings.get(i),
                gender=genders[i],
                landmarks=landmarks[i],
            )
            for i, face in enumerate(faces)
        )

    def warm_up(self) -> None:
        """Run every network once, on a drawn face, so that the first frame takes no longer.

        Raises:
            BundleError: a network does not run.
        """
        # Only here: whoever never warms up needs no drawing.
        from edge.drawn_face import draw_face

        frame, face = draw_face()
        for stage in self.stages.values():
            stage.warm_up(frame, face)

    def unspent(self) -> Spent:
        """Return no time for each stage of ``STAGES``, and of ``EXTRAS`` for those there are."""
        return dict.fromkeys(self._timed, StageTime())

    def detect(self, frame: Frame, spent: Spent) -> list[Detection]:
        """Return a frame's faces from the largest to the smallest, at most ``MAX_FACES``."""
        (found,) = timed("detect", self._stages.detect, frame, [None], spent)
        found.sort(key=lambda face: float(face.box_xywh[2] * face.box_xywh[3]), reverse=True)
        return found[:MAX_FACES]

    def mask(self, frame: Frame, faces: Sequence[Detection], spent: Spent) -> list[MaskState]:
        """Say which face wears a mask; that decides who embeds it and whether it is painted."""
        return timed("mask", self._stages.mask, frame, faces, spent)

    def reconstruct(
        self, frame: Frame, faces: Sequence[Detection], spent: Spent
    ) -> Sequence[Painting | None]:
        """Paint what is covered; None where nothing is, or the bundle has no network for it."""
        return asked("reconstruct", self._stages.reconstruct, frame, faces, spent)

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
        self, frame: Frame, faces: Sequence[Detection], spent: Spent, *, covered: Sequence[bool]
    ) -> list[NDArray[np.float32] | None]:
        """Return the faces' embeddings, float32 ``[D]`` of length 1; None if nobody asked for any.

        Args:
            frame: read only.
            faces: in it.
            spent: the time is added to.
            covered: of each face, whether it goes through the network for masked ones.
        """
        embeddings = embedded(self._ready_to_embed(frame, faces, covered), spent)
        return [embeddings.get(i) for i in range(len(faces))]

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

    def emotion(
        self, frame: Frame, faces: Sequence[Detection], spent: Spent
    ) -> Sequence[Emotion | None]:
        """Say which emotion each face shows; None if the bundle has no network for it."""
        return asked("emotion", self._stages.emotion, frame, faces, spent)

    def gender(
        self, frame: Frame, faces: Sequence[Detection], spent: Spent
    ) -> Sequence[Gender | None]:
        """Guess genders; None if the bundle has no network for it."""
        return asked("gender", self._stages.gender, frame, faces, spent)

    def landmarks(
        self, frame: Frame, faces: Sequence[Detection], spent: Spent
    ) -> Sequence[NDArray[np.float32] | None]:
        """Find 68 points, float32 ``[68, 2]``; None if the bundle has no network for it."""
        return asked("landmarks", self._stages.landmarks, frame, faces, spent)

    @property
    def stages(self) -> Mapping[str, Stage[Any]]:
        """The stages that the bundle gave, by name; each may be run alone."""
        return self._stages.named()

    def close(self) -> None:
        """Free the engines; a second call does nothing."""
        self._stages.close()

    def _route(self, covered: bool) -> IdentifyStage | None:
        return self._stages.masked if covered else self._stages.plain

    def _ready_to_embed(
        self, frame: Frame, faces: Sequence[Detection], covered: Sequence[bool]
    ) -> Routes:
        """Give each face to the stage that embeds it, and make it ready there."""
        routes: Routes = {}
        for i, is_one in enumerate(covered):
            stage = self._route(is_one)
            if stage is not None:
                routes.setdefault(stage, []).append(i)
        for stage, places in routes.items():
            stage.ready(frame, [faces[i] for i in places])
        return routes


def is_covered(state: str) -> bool:
    """Tell whether a face of this mask state goes the way of the masked ones."""
    return state != "unmasked"


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
