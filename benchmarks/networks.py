"""Open the stages that a task needs from a bundle."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import TypeVar

from benchmarks.faces import FaceFinder
from benchmarks.tasks.identity import Embedder
from edge.bundle import Bundle
from edge.contract import Contract
from edge.engines import open_engine
from edge.engines.base import Engine
from edge.owned import Owned
from edge.stages import (
    DetectStage,
    EmotionStage,
    GenderStage,
    IdentifyStage,
    LandmarksStage,
    MaskStage,
    ReconstructStage,
)

__all__ = ["Networks"]

_Stage = TypeVar("_Stage")


class Networks(Owned):
    """The networks of a bundle, each opened when it is first asked for.

    Args:
        bundle: read and checked.
        engine: name of the engine to run them on; the bundle's own choice without it.
        threads: of each engine.
    """

    def __init__(self, bundle: Bundle, *, engine: str | None = None, threads: int = 1) -> None:
        self.bundle = bundle
        self._engine, self._threads = engine, threads
        self._open = contextlib.ExitStack()

    def close(self) -> None:
        """Close the engines; a second call does nothing."""
        self._open.close()

    def detect(self) -> DetectStage:
        """Open the detector."""
        return self._stage("detect", DetectStage)

    def detect_down_to(self, score: float) -> tuple[DetectStage, float]:
        """Open the detector so that it also gives what it is less sure of.

        Returns:
            The stage, and the score that the contract works with.
        """
        engine, contract = self._network("detect")
        lowest = min(score, contract.threshold)
        stage = DetectStage(engine, dataclasses.replace(contract, threshold=lowest))
        return stage, contract.threshold

    def finder(self) -> FaceFinder:
        """Open the detector and find faces with it."""
        return FaceFinder(self.detect())

    def mask(self) -> MaskStage:
        """Open the mask stage."""
        return self._stage("mask", MaskStage)

    def emotion(self) -> EmotionStage:
        """Open the emotion stage."""
        return self._stage("emotion", EmotionStage)

    def gender(self) -> GenderStage:
        """Open the gender stage."""
        return self._stage("gender", GenderStage)

    def landmarks(self) -> LandmarksStage:
        """Open the landmarks stage."""
        return self._stage("landmarks", LandmarksStage)

    def reconstruct(self) -> ReconstructStage:
        """Open both networks of the reconstruct stage."""
        edit_engine, edit_contract = self._network("edit")

        def build(engine: Engine, contract: Contract) -> ReconstructStage:
            return ReconstructStage(
                engine, contract, edit_engine=edit_engine, edit_contract=edit_contract
            )

        return self._stage("map", build)

    def embedder(self) -> Embedder:
        """Open both routes of the identify stage, or the one that the bundle has."""
        plain = self._stage("identity", IdentifyStage)
        if "identity-masked" not in self.bundle.tasks:
            return Embedder(self.finder(), plain)
        masked = self._stage("identity-masked", IdentifyStage)
        return Embedder(self.finder(), plain, masked=masked, mask=self.mask())

    def _network(self, task: str) -> tuple[Engine, Contract]:
        wanted = None if self._engine == "null" else self._engine
        artefact = self.bundle.artefact(task, wanted)
        engine = open_engine(artefact, threads=self._threads, engine=self._engine)
        return self._open.enter_context(engine), artefact.contract

    def _stage(self, task: str, build: Callable[[Engine, Contract], _Stage]) -> _Stage:
        return build(*self._network(task))
