"""Open every stage that a bundle has a network for."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from edge.bundle import Bundle
from edge.contract import Contract
from edge.engines.base import Engine
from edge.errors import BundleError
from edge.owned import Owned
from edge.stages.base import Stage
from edge.stages.detect import DetectStage
from edge.stages.emotion import EmotionStage
from edge.stages.gender import GenderStage
from edge.stages.identify import IdentifyStage
from edge.stages.landmarks import LandmarksStage
from edge.stages.mask import MaskStage
from edge.stages.reconstruct import ReconstructStage
from edge.ways import Ways

__all__ = ["REQUIRED", "Stages", "open_stages"]

#: Tasks without which there is no pipeline; the others may be left out of a bundle.
REQUIRED = ("detect", "mask", "identity")


@dataclass(frozen=True, slots=True)
class Stages(Owned):
    """The stages of one bundle and the engines under them; None for a stage that it lacks.

    Attributes:
        plain: embeds bare faces; None where nobody asked for embeddings.
        masked: embeds the others; the same stage as ``plain`` in a bundle with one such network.
        engines: closes them.
    """

    engines: ExitStack
    detect: DetectStage
    mask: MaskStage
    reconstruct: ReconstructStage | None = None
    plain: IdentifyStage | None = None
    masked: IdentifyStage | None = None
    emotion: EmotionStage | None = None
    gender: GenderStage | None = None
    landmarks: LandmarksStage | None = None

    def named(self) -> dict[str, Stage[Any]]:
        """Return those there are, by name, in the order of the river."""
        named: dict[str, Stage[Any] | None] = {
            "detect": self.detect,
            "mask": self.mask,
            "reconstruct": self.reconstruct,
            "identify": self.plain,
            "identify-masked": self.masked if self.masked is not self.plain else None,
            "emotion": self.emotion,
            "gender": self.gender,
            "landmarks": self.landmarks,
        }
        return {name: stage for name, stage in named.items() if stage is not None}

    def close(self) -> None:
        """Free the engines; a second call does nothing."""
        self.engines.close()


def open_stages(bundle: Bundle, *, ways: Ways, embeddings: bool) -> Stages:
    """Open the engines of a bundle's networks and put a stage over each.

    Args:
        bundle: has at least the tasks of ``REQUIRED``.
        ways: opens them.
        embeddings: open the networks that embed faces, too.

    Raises:
        BundleError: a required task is missing, or the networks do not fit together.
        UnavailableError: an engine's library is not installed.
    """
    _require(bundle)
    with ExitStack() as stack:

        def load(task: str) -> tuple[Engine, Contract]:
            engine, contract = ways.open(bundle, task)
            stack.callback(engine.close)
            return engine, contract

        tasks = set(bundle.tasks)
        detect, mask = DetectStage(*load("detect")), MaskStage(*load("mask"))
        reconstruct, plain, masked = None, None, None
        if {"map", "edit"} <= tasks:
            edit_engine, edit_contract = load("edit")
            reconstruct = ReconstructStage(
                *load("map"), edit_engine=edit_engine, edit_contract=edit_contract
            )
        if embeddings:
            plain = masked = IdentifyStage(*load("identity"))
            if "identity-masked" in tasks:
                masked = IdentifyStage(*load("identity-masked"))
            _check_revisions(plain.contract, masked.contract)
        emotion = EmotionStage(*load("emotion")) if "emotion" in tasks else None
        gender = GenderStage(*load("gender")) if "gender" in tasks else None
        landmarks = LandmarksStage(*load("landmarks")) if "landmarks" in tasks else None
        return Stages(
            stack.pop_all(), detect, mask, reconstruct, plain, masked, emotion, gender, landmarks
        )


def _require(bundle: Bundle) -> None:
    missing = [task for task in REQUIRED if task not in bundle.tasks]
    if missing:
        raise BundleError(
            f"bundle {bundle.name}: has no network for {', '.join(missing)}",
            hint="make the bundle again with: edge-export make --out BUNDLE",
            code="bundle.task",
        )


def _check_revisions(plain: Contract, masked: Contract) -> None:
    """Refuse embeddings that cannot be compared with one another."""
    if plain.revision != masked.revision:
        raise BundleError(
            f"{plain.network} has the embedding revision {plain.revision!r} and {masked.network} "
            f"{masked.revision!r}; a bundle has one",
            code="contract.revision",
        )
