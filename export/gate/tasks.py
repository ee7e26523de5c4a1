"""Which of the benchmarks' tasks judges a network, and with which other networks."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.figures import Figures
from benchmarks.packs import Pack
from benchmarks.tasks import detect, emotion, gender, identity, landmarks, mask
from edge.contract import Contract
from edge.engines.base import Engine
from edge.stages import (
    DetectStage,
    EmotionStage,
    GenderStage,
    IdentifyStage,
    LandmarksStage,
    MaskStage,
)
from export.gate.peers import Peers

__all__ = ["DRAWN", "judge"]

#: Tasks that no pack judges: their pictures are drawn by a function of their recipes.
DRAWN = ("map", "edit")


def judge(
    task: str,
    tested: tuple[Engine, Contract],
    peers: Peers,
    pack: Pack,
    *,
    split: str | None,
    limit: int | None,
) -> Figures:
    """Judge a network on a pack.

    Args:
        task: one of ``edge.contract.TASKS``, and none of ``DRAWN``.
        tested: the network, and what its tensors mean.
        peers: INT8 networks that the task needs beside it.
        pack: with the pictures.
        split: of the pack; empty takes the one that the task judges on by itself.
        limit: at most so many pictures or pairs; None takes all.

    Raises:
        MissingInput, DataError: the pack cannot be read.
    """
    engine, contract = tested

    def embed() -> Figures:
        embedder = identity.Embedder(peers.finder(), IdentifyStage(engine, contract))
        return identity.evaluate(embedder, pack, split=split or None, limit=limit)

    def embed_masked() -> Figures:
        embedder = identity.Embedder(
            peers.finder(),
            IdentifyStage(*peers.network("identity")),
            masked=IdentifyStage(engine, contract),
            mask=MaskStage(*peers.network("mask")),
        )
        return identity.evaluate(embedder, pack, split=split or None, limit=limit)

    judges: dict[str, Callable[[], Figures]] = {
        "detect": lambda: detect.evaluate(
            DetectStage(engine, contract), pack, split=split, limit=limit
        ),
        "mask": lambda: mask.evaluate(
            peers.finder(), MaskStage(engine, contract), pack, split=split, limit=limit
        ),
        "identity": embed,
        "identity-masked": embed_masked,
        "emotion": lambda: emotion.evaluate(
            peers.finder(), EmotionStage(engine, contract), pack, split=split, limit=limit
        ),
        "gender": lambda: gender.evaluate(
            peers.finder(), GenderStage(engine, contract), pack, split=split, limit=limit
        ),
        "landmarks": lambda: landmarks.evaluate(
            peers.finder(), LandmarksStage(engine, contract), pack, split=split, limit=limit
        ),
    }
    return judges[task]()
