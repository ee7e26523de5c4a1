"""A task's own metric for one artefact, in the runtime that will run it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figures
from benchmarks.packs import Pack
from benchmarks.tasks import detect, emotion, identity, mask, reconstruct
from edge.contract import Contract
from edge.engines.base import Engine
from edge.errors import ConfigError
from edge.stages import DetectStage, EmotionStage, IdentifyStage, MaskStage, ReconstructStage
from export.calibration.calibrate import recipe_function
from export.cards.card import Card
from export.gate.peers import Peers
from export.program.lowered import Lowered

__all__ = ["figures_of", "loss"]

#: Figures that are better when they are smaller.
_ERRORS = ("eer",)


def figures_of(
    card: Card, lowered: Lowered, peers: Peers, data: Path, limit: int | None
) -> Figures:
    """Judge one artefact on the card's evidence data.

    Args:
        card: says data and metric.
        lowered: the network under test.
        peers: INT8 networks that the task needs beside it.
        data: folder of the data packs.
        limit: at most so many pictures or pairs; None takes all.

    Raises:
        ConfigError: the task has no such metric.
        MissingInput, DataError: the pack cannot be read.
    """
    plan = card.evidence
    contract = lowered.contract
    judge: dict[str, Callable[[Engine, Pack], Figures]] = {
        "detect": lambda engine, pack: detect.evaluate(
            DetectStage(engine, contract), pack, split=plan.split, limit=limit
        ),
        "mask": lambda engine, pack: mask.evaluate(
            peers.finder(), MaskStage(engine, contract), pack, split=plan.split, limit=limit
        ),
        "emotion": lambda engine, pack: emotion.evaluate(
            peers.finder(), EmotionStage(engine, contract), pack, split=plan.split, limit=limit
        ),
        "identity": lambda engine, pack: identity.evaluate(
            identity.Embedder(peers.finder(), IdentifyStage(engine, contract)), pack, limit=limit
        ),
        "identity-masked": lambda engine, pack: identity.evaluate(
            identity.Embedder(
                peers.finder(),
                IdentifyStage(*peers.network("identity")),
                masked=IdentifyStage(engine, contract),
                mask=MaskStage(*peers.network("mask")),
            ),
            pack,
            limit=limit,
        ),
        "map": lambda engine, pack: _painted(card, (engine, contract), peers, data, limit),
        "edit": lambda engine, pack: _painted(card, (engine, contract), peers, data, limit),
    }
    with lowered.open() as engine:
        figures = judge[card.task](engine, Pack.open(data / plan.pack))
    if plan.metric not in figures.measures:
        raise ConfigError(
            f"{card.folder / 'model.toml'}: evidence.metric: {plan.metric!r} is none of "
            f"{', '.join(figures.measures)}",
            code="card.metric",
        )
    return figures


def _painted(
    card: Card,
    tested: tuple[Engine, Contract],
    peers: Peers,
    data: Path,
    limit: int | None,
) -> Figures:
    finder, painter = tested, tested
    if card.task == "map":
        painter = peers.network("edit")
    else:
        finder = peers.network("map")
    stage = ReconstructStage(*finder, edit_engine=painter[0], edit_contract=painter[1])
    triples = recipe_function(card, "evidence")(data, limit)
    name = f"{card.evidence.pack}/{card.evidence.split or 'all'}"
    return reconstruct.evaluate(peers.finder(), stage, triples, data=name)


def loss(metric: str, before: float, after: float) -> float:
    """Return how much worse ``after`` is than ``before``, in the metric's own unit."""
    return after - before if metric in _ERRORS else before - after
