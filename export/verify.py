"""Prove an artefact: float and INT8 on one runtime, on the task's own metric and held-back data."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import FaceFinder
from benchmarks.figures import Figures
from benchmarks.metrics import cosine, sqnr_db
from benchmarks.packs import Pack
from benchmarks.tasks import detect, emotion, identity, mask, reconstruct
from edge.contract import Contract
from edge.engines.tflite import TFLiteEngine
from edge.errors import ConfigError, GateFailed
from edge.evidence import Evidence
from edge.owned import Owned
from edge.stages import DetectStage, EmotionStage, IdentifyStage, MaskStage, ReconstructStage
from edge.stages.base import store_bytes
from export.calibrate import recipe_function
from export.card import Card
from export.quantise import Bytes

__all__ = ["PEERS", "Lowered", "Peers", "Similarity", "compare", "figures_of", "loss", "verify"]

#: INT8 networks that a task's metric needs beside the one under test.
PEERS = {
    "detect": (),
    "mask": ("detect",),
    "map": ("detect", "edit"),
    "edit": ("detect", "map"),
    "identity": ("detect",),
    "identity-masked": ("detect", "mask", "identity"),
    "emotion": ("detect",),
}
#: Figures that are better when they are smaller.
_ERRORS = ("eer",)


@dataclass(frozen=True, slots=True)
class Lowered:
    """A TFLite file and its contract; ``name`` says which network and precision, for messages."""

    name: str
    content: bytes
    contract: Contract

    def open(self) -> TFLiteEngine:
        """Open it on the device's runtime, one thread."""
        return TFLiteEngine(self.content, self.contract, threads=1, where=self.name)


@dataclass(frozen=True, slots=True)
class Similarity:
    """How near the INT8 outputs are to the float ones on the same inputs.

    Attributes:
        cosine_min: of the output that differs most, all inputs together.
        sqnr_db: likewise.
    """

    cosine_min: float
    sqnr_db: float


class Peers(Owned):
    """The INT8 networks that were made before, each opened once, when it is asked for.

    Args:
        lowered: by task.
    """

    def __init__(self, lowered: dict[str, Lowered]) -> None:
        self._lowered = lowered
        self._engines: dict[str, TFLiteEngine] = {}
        self._finder: FaceFinder | None = None

    def close(self) -> None:
        """Close the engines; a second call does nothing."""
        for engine in self._engines.values():
            engine.close()

    def finder(self) -> FaceFinder:
        """Return one finder for all tasks, so that a picture is searched once."""
        if self._finder is None:
            self._finder = FaceFinder(DetectStage(*self.network("detect")))
        return self._finder

    def network(self, task: str) -> tuple[TFLiteEngine, Contract]:
        """Return one network, opened.

        Raises:
            ConfigError: it was not made.
        """
        if task not in self._lowered:
            raise ConfigError(
                f"there is no recipe for the task {task!r}, and another network is proven with it",
                code="export.peer",
            )
        if task not in self._engines:
            self._engines[task] = self._lowered[task].open()
        return self._engines[task], self._lowered[task].contract


def verify(
    card: Card,
    exact: Lowered,
    artefact: Lowered,
    held_back: list[Bytes],
    peers: Peers,
    data: Path,
    *,
    limit: int | None = None,
) -> Evidence:
    """Measure both networks and refuse the artefact if it lost too much.

    Args:
        card: says data, metric and how much may be lost.
        exact: the float network.
        artefact: the INT8 one.
        held_back: inputs that the calibration did not see.
        peers: INT8 networks that the task needs beside it.
        data: folder of the data packs.
        limit: at most so many pictures or pairs; the evidence says how many.

    Raises:
        GateFailed: an output is dead, or the metric fell by more than ``max_drop``.
        ConfigError: the task has no such metric.
    """
    likeness = compare(exact, artefact, held_back)
    before = figures_of(card, exact, peers, data, limit)
    after = figures_of(card, artefact, peers, data, limit)
    plan = card.evidence
    if plan.metric not in after.measures:
        raise ConfigError(
            f"{card.folder / 'model.toml'}: evidence.metric: {plan.metric!r} is none of "
            f"{', '.join(after.measures)}",
            code="card.metric",
        )
    wanted, measured = before.measures[plan.metric].value, after.measures[plan.metric].value
    if not loss(plan.metric, wanted, measured) <= plan.max_drop:
        raise GateFailed(
            f"{card.name}: {plan.metric} on {after.data} is {measured:.4f} in INT8 and "
            f"{wanted:.4f} in float, a loss of more than {plan.max_drop:g}",
            hint="train longer, calibrate on other pictures, or allow more in evidence.max_drop",
            code="export.drop",
        )
    measure = after.measures[plan.metric]
    return Evidence(
        metric=plan.metric,
        float_value=wanted,
        artefact_value=measured,
        n=measure.n,
        data=after.data,
        ci95=measure.ci95,
        data_sha256=Pack.open(data / plan.pack).digest(),
        date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        engine=f"tflite {version('ai-edge-litert')}",
        cosine_min=round(likeness.cosine_min, 6),
        sqnr_db=round(likeness.sqnr_db, 3),
    )


def compare(exact: Lowered, artefact: Lowered, inputs: list[Bytes]) -> Similarity:
    """Run both networks on the same inputs and compare every output.

    Raises:
        GateFailed: an output is not finite, or never moves in INT8 where it does in float: the
            sign of an activation that vanished and an accumulator that overflowed.
    """
    wanted, stored = _run(exact, inputs), _run(artefact, inputs)
    likeness = []
    for spec, a, b in zip(artefact.contract.outputs, wanted, stored, strict=True):
        if not np.isfinite(b).all():
            raise GateFailed(f"{artefact.name}: {spec.name} is not finite", code="export.finite")
        if _is_constant(b) and not _is_constant(a):
            raise GateFailed(
                f"{artefact.name}: {spec.name} ({spec.meaning}) is the same for all "
                f"{len(inputs)} held-back inputs and in float it is not",
                hint="look for a dead layer; a network must be trained before it is quantised",
                code="export.dead",
            )
        likeness.append((cosine(a, b), sqnr_db(a, b)))
    return Similarity(min(c for c, _ in likeness), min(s for _, s in likeness))


def _run(lowered: Lowered, inputs: list[Bytes]) -> list[NDArray[np.float32]]:
    """Return the real values of each output, float32 ``[len(inputs), ...]``."""
    contract = lowered.contract
    rows = []
    with lowered.open() as engine:
        for sample in inputs:
            for spec, pixels, array in zip(contract.inputs, sample, engine.inputs, strict=True):
                store_bytes(spec, pixels, array)
            engine.run()
            rows.append(
                [s.to_real(o).copy() for s, o in zip(contract.outputs, engine.outputs, strict=True)]
            )
    return [np.stack(column) for column in zip(*rows, strict=True)]


def _is_constant(values: NDArray[np.float32]) -> bool:
    return bool((values == values[0]).all())


def figures_of(
    card: Card, lowered: Lowered, peers: Peers, data: Path, limit: int | None
) -> Figures:
    """Judge one network, float or INT8, on the card's evidence data.

    Args:
        card, peers, data, limit: as in ``verify``.
        lowered: the network under test.
    """
    plan = card.evidence
    contract = lowered.contract
    judge: dict[str, Callable[[TFLiteEngine, Pack], Figures]] = {
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
        return judge[card.task](engine, Pack.open(data / plan.pack))


def _painted(
    card: Card,
    tested: tuple[TFLiteEngine, Contract],
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
