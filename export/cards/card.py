"""The card of a network, ``model.toml``: what it means, what it learns from, what it must keep.

Everything that is wrong with a card is said at once, each problem with its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.contract import CROPS, MEANINGS, TASKS, Crop
from edge.errors import ConfigError, MissingInput
from export.cards.tables import Reader, Table

__all__ = [
    "METHODS",
    "TRAININGS",
    "Calibration",
    "Card",
    "EvidencePlan",
    "TensorCard",
    "find_cards",
    "read_card",
]

#: Meanings that have one tensor a stride.
_GRID = ("scores", "boxes", "points5")
_MAX_CARD_BYTES = 1024 * 1024
#: Ways to take a range from what calibration saw; the first is what a card without one means.
METHODS = ("minmax", "percentile", "entropy", "mse")
#: Ways to train that INT8 is the better for.
TRAININGS = ("quantisation-aware",)
#: What a card may leave out when nothing is proven with it.
_NO_PROOF: Mapping[str, Any] = {
    "calibration": {"count": 300},
    "evidence": {"max_drop": 0.0},
    "data": {"packs": [], "terms": "unknown"},
}


@dataclass(frozen=True, slots=True)
class TensorCard:
    """What one tensor means; its name and its scale come from the artefact.

    Attributes:
        meaning, colour, stride: see ``edge.contract.TensorSpec``.
        shape: as the artefact has it: NHWC for a picture.
        mean, std: of an input: its real value is ``(byte - mean) / std``. One number, or one a
            channel, which becomes an operator in front of the network.
    """

    meaning: str
    shape: tuple[int, ...]
    colour: str = ""
    stride: int = 0
    mean: tuple[float, ...] = (128.0,)
    std: tuple[float, ...] = (128.0,)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Training pictures that the quantiser sees.

    Attributes:
        pack, split: ``split`` is empty for all of the pack; ``pack`` is empty in a card that names
            none, which only ``convert`` reads.
        count: how many.
        method: how ranges are taken from what was seen, see ``export.calibration.ranges``.
    """

    pack: str
    split: str
    count: int
    method: str = "minmax"


@dataclass(frozen=True, slots=True)
class EvidencePlan:
    """What the artefact is proven on.

    Attributes:
        pack, split: held-back data; ``split`` is empty for a pack that is one whole.
        metric: a figure of the task, see ``benchmarks.tasks``.
        max_drop: how much worse than the float network it may be, in the metric's own unit.
        min_cosine, min_sqnr_db: of the outputs that differ most, on the same inputs.
        function: of the recipe's ``samples.py``, where that makes the pictures.
    """

    pack: str
    split: str
    metric: str
    max_drop: float
    min_cosine: float = -1.0
    min_sqnr_db: float = -1000.0
    function: str = "evidence"


@dataclass(frozen=True, slots=True)
class Card:
    """One recipe's card.

    Attributes:
        folder: of the recipe.
        source: file of the network, beside the card; with ``net.py`` its weights lie there too.
        training: how the weights were trained, where that was for INT8 and their file cannot say
            so itself; ``edge-train --qat`` writes it into the file.
        name, task, summary, licence: as written.
        labels, revision, threshold, temperature, crop: go into the contract.
        inputs, outputs: in the order of the network's own arguments and results.
        tuning: data that mixed precision may be searched on, never the evidence data; None where
            the card names none.
        packs, terms: the data it was trained on and under which terms.
    """

    folder: Path
    source: str
    training: str
    name: str
    task: str
    summary: str
    licence: str
    labels: tuple[str, ...]
    revision: str
    threshold: float
    temperature: float
    crop: Crop
    inputs: tuple[TensorCard, ...]
    outputs: tuple[TensorCard, ...]
    calibration: Calibration
    evidence: EvidencePlan
    tuning: EvidencePlan | None
    packs: tuple[str, ...]
    terms: str


def find_cards(models: Path, only: tuple[str, ...] = ()) -> list[Card]:
    """Read the cards of all recipes in a folder, in the order of the river (``TASKS``).

    Args:
        models: folder with one folder a recipe.
        only: names of the recipes that are wanted; all if empty.

    Raises:
        MissingInput: no card there, or none of a wanted name.
        ConfigError: a card is wrong, or two are for one task.
    """
    cards = [read_card(path) for path in sorted(models.glob("*/model.toml"))]
    if not cards:
        raise MissingInput(
            f"{models}: no folder with a model.toml in it",
            hint="name the folder of the recipes with --models",
            code="card.missing",
        )
    tasks = [card.task for card in cards]
    for card in cards:
        if tasks.count(card.task) > 1:
            raise ConfigError(f"{models}: two recipes have task {card.task!r}", code="card.task")
    unknown = set(only) - {card.name for card in cards}
    if unknown:
        raise MissingInput(
            f"{models}: no recipe {sorted(unknown)[0]!r}",
            hint=f"there are {', '.join(card.name for card in cards)}",
            code="card.missing",
        )
    wanted = [card for card in cards if not only or card.name in only]
    return sorted(wanted, key=lambda card: TASKS.index(card.task))


def read_card(path: Path, *, whole: bool = True) -> Card:
    """Read one ``model.toml``.

    Args:
        path: of the card.
        whole: the card must say what the network is calibrated and proven on.

    Raises:
        MissingInput: the file cannot be opened.
        ConfigError: it is no TOML, or values are wrong; every problem is named.
    """
    # Python has it from 3.11 on; the commands that run on a device serve 3.10 and read no card.
    import tomllib

    try:
        with path.open("rb") as file:
            content = file.read(_MAX_CARD_BYTES + 1)
    except OSError as error:
        raise MissingInput(f"{path}: {error.strerror}", code="card.missing") from error
    if len(content) > _MAX_CARD_BYTES:
        raise ConfigError(f"{path}: larger than {_MAX_CARD_BYTES} bytes", code="card.syntax")
    try:
        raw = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: no TOML: {error}", code="card.syntax") from error
    reader = Reader()
    card = _build(reader, raw, path.parent, whole=whole)
    if reader.problems:
        raise ConfigError(f"{path}: {'; '.join(reader.problems)}", code="card.value")
    return card


def _build(reader: Reader, raw: Mapping[str, Any], folder: Path, *, whole: bool) -> Card:
    known = "name task summary licence source contract calibration evidence tuning data"
    if not whole:
        raw = {**_NO_PROOF, **raw}
    root = Table(reader, "", {"source": {}, **raw}, known)
    source = root.table("source", "file training")
    contract = root.table("contract", "labels revision threshold temperature crop inputs outputs")
    calibration = root.table("calibration", "pack split count method")
    evidence = root.table("evidence", "pack split metric max_drop min_cosine min_sqnr_db")
    origin = root.table("data", "packs terms")
    task = root.text("task", allowed=TASKS)
    empty = None if whole else ""
    labels = contract.texts("labels")
    outputs = _tensors(contract, "outputs")
    meanings = {tensor.meaning for tensor in outputs}
    if "logits" in meanings and not labels:
        reader.problem("contract.labels", "are missing for the logits")
    if "embedding" in meanings and not contract.text("revision", default=""):
        reader.problem("contract.revision", "is missing for the embedding")
    return Card(
        folder=folder,
        source=_plain_name(source),
        training=source.text("training", allowed=("", *TRAININGS), default=""),
        name=root.text("name"),
        task=task,
        summary=root.text("summary"),
        licence=root.text("licence"),
        labels=labels,
        revision=contract.text("revision", default=""),
        threshold=contract.number("threshold", -1.0, 1.0, default=0.5),
        temperature=contract.number("temperature", 0.01, 100.0, default=1.0),
        crop=_crop(contract),
        inputs=_tensors(contract, "inputs"),
        outputs=outputs,
        calibration=Calibration(
            calibration.text("pack", default=empty),
            calibration.text("split", default=""),
            calibration.whole("count", 300, 100_000),
            calibration.text("method", allowed=METHODS, default=METHODS[0]),
        ),
        evidence=EvidencePlan(
            evidence.text("pack", default=empty),
            evidence.text("split", default=""),
            evidence.text("metric", default=empty),
            evidence.number("max_drop", 0.0, 1000.0),
            evidence.number("min_cosine", -1.0, 1.0, default=-1.0),
            evidence.number("min_sqnr_db", -1000.0, 1000.0, default=-1000.0),
        ),
        tuning=_tuning(root) if "tuning" in raw else None,
        packs=origin.texts("packs"),
        terms=origin.text("terms"),
    )


def _tuning(root: Table) -> EvidencePlan:
    tuning = root.table("tuning", "pack split metric")
    return EvidencePlan(
        tuning.text("pack"),
        tuning.text("split", default=""),
        tuning.text("metric"),
        max_drop=0.0,
        function="tuning",
    )


def _plain_name(source: Table) -> str:
    name = source.text("file", default="net.py")
    if Path(name).name != name or name in (".", ".."):
        source.problem("file", f"{name!r} is no plain name of a file beside the card")
    return name


def _crop(contract: Table) -> Crop:
    crop = contract.table("crop", "kind scale shift_y replicate")
    return Crop(
        kind=crop.text("kind", allowed=CROPS),
        scale=crop.number("scale", 0.1, 10.0, default=1.0),
        shift_y=crop.number("shift_y", -1.0, 1.0, default=0.0),
        replicate=crop.flag("replicate"),
    )


def _tensors(contract: Table, key: str) -> tuple[TensorCard, ...]:
    tensors = []
    for item in contract.tables(key, "meaning shape colour stride mean std"):
        meaning = item.text("meaning", allowed=MEANINGS)
        stride = item.whole("stride", 0, 1024, default=0)
        if (meaning in _GRID) != (stride > 0):
            item.problem("stride", f"{stride} does not fit meaning {meaning!r}")
        colours = ("BGR", "RGB", "GREY") if meaning == "image" else ("", "GREY")
        colour = item.text("colour", allowed=colours, default=colours[0])
        mean, std = item.numbers("mean", 0.0, 255.0), item.numbers("std", 1e-3, 1e6)
        tensors.append(TensorCard(meaning, item.shape("shape"), colour, stride, mean, std))
    return tuple(tensors)
