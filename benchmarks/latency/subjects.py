"""What can be timed: the whole pipeline, one stage with its warp and decoding, or one engine."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from edge.bundle import Bundle
from edge.errors import DataError, UsageError
from edge.frames import Frame
from edge.owned import Owned
from edge.pipeline import Pipeline
from edge.results import Detection, StageTime
from edge.stages.base import Stage
from edge.ways import Ways

__all__ = ["PIPELINE", "Answer", "Subject", "Whole", "hold_opencv", "open_subject"]

#: Name of the subject that is everything together.
PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept of one run.

    Attributes:
        faces: that were looked at.
        stage_ns: the time of each stage that the subject has.
        total_ns: of the run, as the subject itself saw it.
    """

    faces: int
    stage_ns: Mapping[str, StageTime] = field(default_factory=dict)
    total_ns: int = 0


class Subject(Owned, ABC):
    """Something that can be run on a frame again and again, in one thread; it owns its engines."""

    @abstractmethod
    def run(self, frame: Frame) -> Answer:
        """Do the work once."""


def open_subject(
    name: str, bundle: Bundle, frames: Sequence[Frame], *, threads: int, engine: str | None
) -> Subject:
    """Open what is to be timed.

    Args:
        name: ``pipeline``, ``stage:NAME`` or ``engine:TASK``.
        bundle: with the networks.
        frames: those that will be run; a stage's faces are found in them beforehand.
        threads: of each engine.
        engine: instead of the artefacts' own.

    Raises:
        UsageError: there is no such subject.
        BundleError, UnavailableError: the bundle or an engine does not open.
        DataError: a stage reads faces and no frame has one.
    """
    kind, _, part = name.partition(":")
    if kind == PIPELINE and not part:
        return Whole(_pipeline(bundle, threads, engine))
    if kind == "stage" and part:
        return _open_stage(part, bundle, frames, threads, engine)
    if kind == "engine" and part:
        return _Engine(part, bundle, threads, engine)
    raise UsageError(
        f"nothing to time is called {name!r}",
        hint="there are pipeline, stage:NAME and engine:TASK, such as stage:mask",
        code="bench.subject",
    )


def _pipeline(bundle: Bundle, threads: int, engine: str | None) -> Pipeline:
    hold_opencv()
    # Without a gallery the embedding is asked for, or the identify stage would be left out.
    return Pipeline(bundle, ways=Ways(threads=threads, engine=engine), embeddings=True)


def hold_opencv() -> None:
    """Let OpenCV work on one thread in this process from now on.

    It starts as many as there are cores, and a figure of one thread would be of one only as long as
    every crop is too small to be shared. N threads are those of each engine.
    """
    cv2.setNumThreads(1)


class Whole(Subject):
    """Every stage, as ``edge-run`` has them.

    Attributes:
        pipeline: owned.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def run(self, frame: Frame) -> Answer:
        """Say everything about one frame."""
        result = self.pipeline.run(frame)
        return Answer(len(result.faces), result.stage_ns, result.total_ns)

    def close(self) -> None:
        """Free the engines."""
        self.pipeline.close()


def _open_stage(
    name: str, bundle: Bundle, frames: Sequence[Frame], threads: int, engine: str | None
) -> Subject:
    pipeline = _pipeline(bundle, threads, engine)
    with contextlib.ExitStack() as opened:
        opened.callback(pipeline.close)
        stages = pipeline.stages
        if name not in stages:
            raise UsageError(
                f"the bundle {bundle.name} has no stage {name!r}",
                hint=f"it has {', '.join(stages)}",
                code="bench.subject",
            )
        faces = {id(frame): _faces(name, pipeline, frame) for frame in frames}
        if not any(faces.values()):
            raise DataError(
                f"the stage {name} reads a face, and none is found in the source",
                hint="give a source with a face, such as synthetic://",
                code="bench.faces",
            )
        opened.pop_all()
        return _OneStage(name, pipeline, stages[name], faces)


def _faces(name: str, pipeline: Pipeline, frame: Frame) -> list[Detection | None]:
    """Return what the stage is run on in a frame; the detector reads the frame itself."""
    return [None] if name == "detect" else [f.detection for f in pipeline.run(frame).faces]


class _OneStage(Subject):
    """One stage, on the faces that the detector found beforehand."""

    def __init__(
        self,
        name: str,
        pipeline: Pipeline,
        stage: Stage[Any],
        faces: Mapping[int, Sequence[Detection | None]],
    ) -> None:
        self._name, self._pipeline, self._stage, self._faces = name, pipeline, stage, faces

    def run(self, frame: Frame) -> Answer:
        start, spent = time.perf_counter_ns(), StageTime()
        faces = self._faces[id(frame)]
        for face in faces:
            self._stage(frame, face)
            spent += self._stage.time
        return Answer(len(faces), {self._name: spent}, time.perf_counter_ns() - start)

    def close(self) -> None:
        self._pipeline.close()


class _Engine(Subject):
    """One engine alone, on noise: what a convolution takes does not depend on its input."""

    def __init__(self, task: str, bundle: Bundle, threads: int, engine: str | None) -> None:
        self._task = task
        self._engine, _ = Ways(threads=threads, engine=engine).open(bundle, task)
        random = np.random.default_rng(0)
        for array in self._engine.inputs:
            array.view(np.uint8)[...] = (
                random.integers(0, 256, array.view(np.uint8).shape, np.uint8)
                if array.dtype.itemsize == 1
                else random.uniform(-1, 1, array.shape).astype(array.dtype).view(np.uint8)
            )

    def run(self, frame: Frame) -> Answer:
        start = time.perf_counter_ns()
        self._engine.run()
        spent = time.perf_counter_ns() - start
        return Answer(0, {self._task: StageTime(infer_ns=spent, runs=1)}, spent)

    def close(self) -> None:
        self._engine.close()
