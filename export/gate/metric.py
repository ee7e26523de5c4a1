"""A task's own metric for one artefact, in the runtime that will run it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Figures, better_when_smaller
from benchmarks.packs import Pack
from benchmarks.tasks import reconstruct
from edge.contract import Contract
from edge.engines.base import Engine
from edge.errors import ConfigError
from edge.stages import ReconstructStage
from export.calibration.calibrate import recipe_function
from export.cards.card import Card
from export.gate.peers import Peers
from export.gate.tasks import DRAWN, judge
from export.importers.load import load_module
from export.program.lowered import Lowered

__all__ = ["TUNING", "figures_of", "loss"]

#: File beside a card that makes the pack it is tuned on, ``pack(data_dir) -> Pack``, where none is
#: on disk.
TUNING = "tuning.py"


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
    with lowered.open() as engine:
        if card.task in DRAWN:
            figures = _painted(card, (engine, lowered.contract), peers, data, limit)
        else:
            tested = (engine, lowered.contract)
            pack = _pack(card, data)
            figures = judge(card.task, tested, peers, pack, split=plan.split, limit=limit)
    if plan.metric not in figures.measures:
        raise ConfigError(
            f"{card.folder / 'model.toml'}: evidence.metric: {plan.metric!r} is none of "
            f"{', '.join(figures.measures)}",
            code="card.metric",
        )
    return figures


def _pack(card: Card, data: Path) -> Pack:
    """Open the card's pack; what a network is tuned on may be one that its recipe makes."""
    program = card.folder / TUNING
    if card.evidence.function == "tuning" and program.is_file():
        made: Pack = load_module(program).pack(data)
        return made
    return Pack.open(data / card.evidence.pack)


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
    triples = recipe_function(card, card.evidence.function)(data, limit)
    name = f"{card.evidence.pack}/{card.evidence.split or 'all'}"
    return reconstruct.evaluate(peers.finder(), stage, triples, data=name)


def loss(metric: str, before: float, after: float) -> float:
    """Return how much worse ``after`` is than ``before``, in the metric's own unit."""
    return after - before if better_when_smaller(metric) else before - after
