"""The order of the stages and who goes where; no input, no output.

detect ► mask ─ masked, incorrect ► reconstruct ► identity-masked ─► emotion
              └ unmasked ────────────────────────► identity ───────► emotion
and behind them, where a bundle has them: gender ► landmarks
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.contract import Contract
from edge.engines import open_engine
from edge.engines.base import Engine
from edge.errors import BundleError, DataError
from edge.frames import Frame
from edge.owned import Owned
from edge.results import EXTRAS, STAGES, Detection, FaceResult, FrameResult, Identity, StageTime
from edge.stages import (
    DetectStage,
    EmotionStage,
    GenderStage,
    IdentifyStage,
    LandmarksStage,
    MaskStage,
    ReconstructStage,
)
from edge.stages.base import Stage

if TYPE_CHECKING:
    from edge.gallery import Gallery

__all__ = ["MAX_FACES", "REQUIRED", "Pipeline"]

#: Faces a frame that are looked at, the largest first: a bound on the time a frame takes.
MAX_FACES = 32
#: Tasks without which there is no pipeline; the others may be left out of a bundle.
REQUIRED = ("detect", "mask", "identity")

_Value = TypeVar("_Value")


class Pipeline(Owned):
    """Every network of a bundle, opened once, in one thread.

    Args:
        bundle: has at least the tasks of ``REQUIRED``. A task it lacks is passed over; without
            ``identity-masked`` every face goes through ``identity``.
        gallery: of the same embedding revision; None leaves ``FaceResult.identity`` None.
        threads: of each engine.
        engine: run every network on this engine instead of the artefact's own.
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
        threads: int = 1,
        engine: str | None = None,
        embeddings: bool = False,
    ) -> None:
        _require(bundle)
        self._gallery = gallery
        self._plain: IdentifyStage | None = None
        self._masked: IdentifyStage | None = None
        self._reconstruct: ReconstructStage | None = None
        self._emotion: EmotionStage | None = None
        self._gender: GenderStage | None = None
        self._landmarks: LandmarksStage | None = None
        with ExitStack() as stack:
            # "null" is no engine that artefacts are made for: it runs any of them.
            made_for = None if engine == "null" else engine

            def load(task: str) -> tuple[Engine, Contract]:
                artefact = bundle.artefact(task, made_for)
                opened = open_engine(artefact, threads=threads, engine=engine)
                stack.callback(opened.close)
                return opened, artefact.contract

            self._detect = DetectStage(*load("detect"))
            self._mask = MaskStage(*load("mask"))
            if {"map", "edit"} <= set(bundle.tasks):
                edit_engine, edit_contract = load("edit")
                self._reconstruct = ReconstructStage(
                    *load("map"), edit_engine=edit_engine, edit_contract=edit_contract
                )
            if gallery is not None or embeddings:
                self._plain = self._masked = IdentifyStage(*load("identity"))
                if "identity-masked" in bundle.tasks:
                    self._masked = IdentifyStage(*load("identity-masked"))
                _check_revisions(self._plain.contract, self._masked.contract, gallery)
            if "emotion" in bundle.tasks:
                self._emotion = EmotionStage(*load("emotion"))
            if "gender" in bundle.tasks:
                self._gender = GenderStage(*load("gender"))
            if "landmarks" in bundle.tasks:
                self._landmarks = LandmarksStage(*load("landmarks"))
            self._engines = stack.pop_all()

    def run(self, frame: Frame) -> FrameResult:
        """Say everything about one frame.

        Returns:
            Faces from the largest to the smallest, at most ``MAX_FACES``, and where the time went.
        """
        start = time.perf_counter_ns()
        spent = dict.fromkeys(STAGES, StageTime())
        spent |= dict.fromkeys((name for name in EXTRAS if name in self.stages), StageTime())
        found = self._detect(frame)
        spent["detect"] = self._detect.time
        found.sort(key=lambda face: float(face.box_xywh[2] * face.box_xywh[3]), reverse=True)
        faces = tuple(self._face(frame, face, spent) for face in found[:MAX_FACES])
        total = time.perf_counter_ns() - start
        return FrameResult(frame.index, frame.source, frame.captured_ns, faces, spent, total)

    @property
    def stages(self) -> Mapping[str, Stage[Any]]:
        """The stages that the bundle gave, by name; each may be run alone."""
        named: dict[str, Stage[Any] | None] = {
            "detect": self._detect,
            "mask": self._mask,
            "reconstruct": self._reconstruct,
            "identify": self._plain,
            "identify-masked": self._masked if self._masked is not self._plain else None,
            "emotion": self._emotion,
            "gender": self._gender,
            "landmarks": self._landmarks,
        }
        return {name: stage for name, stage in named.items() if stage is not None}

    def close(self) -> None:
        """Free the engines; a second call does nothing."""
        self._engines.close()

    def _face(self, frame: Frame, face: Detection, spent: dict[str, StageTime]) -> FaceResult:
        """Send one face through the stages after detection, and add up their times."""

        def ask(name: str, stage: Stage[_Value]) -> _Value:
            value = stage(frame, face)
            spent[name] += stage.time
            return value

        mask = ask("mask", self._mask)
        covered = mask.state != "unmasked"
        painting, embedding, identity, feeling = None, None, None, None
        if covered and self._reconstruct is not None:
            painting = ask("reconstruct", self._reconstruct)
        stage = self._masked if covered else self._plain
        if stage is not None:
            embedding = ask("identify", stage)
            start = time.perf_counter_ns()
            identity = self._match(stage, embedding)
            spent["identify"] += StageTime(post_ns=time.perf_counter_ns() - start)
        if self._emotion is not None:
            feeling = ask("emotion", self._emotion)
        gender = None if self._gender is None else ask("gender", self._gender)
        points = None if self._landmarks is None else ask("landmarks", self._landmarks)
        return FaceResult(face, mask, painting, identity, feeling, embedding, gender, points)

    def _match(self, stage: IdentifyStage, embedding: NDArray[np.float32]) -> Identity | None:
        """Look for the nearest person of the gallery."""
        if self._gallery is None:
            return None
        match = self._gallery.match(embedding, stage.contract.threshold)
        return Identity(match.person, match.similarity, reconstructed=False)


def _require(bundle: Bundle) -> None:
    missing = [task for task in REQUIRED if task not in bundle.tasks]
    if missing:
        raise BundleError(
            f"bundle {bundle.name}: has no network for {', '.join(missing)}",
            hint="make the bundle again with: edge-export make --out BUNDLE",
            code="bundle.task",
        )


def _check_revisions(plain: Contract, masked: Contract, gallery: Gallery | None) -> None:
    """Refuse embeddings that cannot be compared with one another."""
    if plain.revision != masked.revision:
        raise BundleError(
            f"{plain.network} has the embedding revision {plain.revision!r} and {masked.network} "
            f"{masked.revision!r}; a bundle has one",
            code="contract.revision",
        )
    if gallery is not None and gallery.revision != plain.revision:
        raise DataError(
            f"gallery {gallery.path}: holds embeddings of the revision {gallery.revision!r}, the "
            f"bundle makes {plain.revision!r}",
            hint="enrol everybody again with this bundle, into a new gallery",
            code="gallery.revision",
        )
