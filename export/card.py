"""The card of a network, ``model.toml``: what it means, what it learns from, what it must keep.

Everything that is wrong with a card is said at once, each problem with its key.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib

from edge.contract import CROPS, MEANINGS, TASKS, Crop
from edge.errors import ConfigError, MissingInput

__all__ = ["Calibration", "Card", "EvidencePlan", "TensorCard", "find_cards", "read_card"]

#: Meanings that have one tensor a stride.
_GRID = ("scores", "boxes", "points5")
_MAX_CARD_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TensorCard:
    """What one tensor means; its name and its scale come from the artefact."""

    meaning: str
    shape: tuple[int, ...]
    colour: str = ""
    stride: int = 0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Training pictures that the quantiser sees: pack, split (may be empty), how many."""

    pack: str
    split: str
    count: int


@dataclass(frozen=True, slots=True)
class EvidencePlan:
    """What the artefact is proven on.

    Attributes:
        pack, split: held-back data; ``split`` is empty for a pack that is one whole.
        metric: a figure of the task, see ``benchmarks.tasks``.
        max_drop: how much worse than the float network it may be, in the metric's own unit.
    """

    pack: str
    split: str
    metric: str
    max_drop: float


@dataclass(frozen=True, slots=True)
class Card:
    """One recipe's card.

    Attributes:
        folder: of the recipe; ``net.py`` and ``weights.safetensors`` lie beside the card.
        name, task, summary, licence: as written.
        labels, revision, threshold, temperature, crop: go into the contract.
        inputs, outputs: in the order of the network's own arguments and results.
        packs, terms: the data it was trained on and under which terms.
    """

    folder: Path
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


def read_card(path: Path) -> Card:
    """Read one ``model.toml``.

    Raises:
        MissingInput: the file cannot be opened.
        ConfigError: it is no TOML, or values are wrong; every problem is named.
    """
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
    reader = _Reader()
    card = _build(reader, raw, path.parent)
    if reader.problems:
        raise ConfigError(f"{path}: {'; '.join(reader.problems)}", code="card.value")
    return card


def _build(reader: _Reader, raw: Mapping[str, Any], folder: Path) -> Card:
    root = _Table(reader, "", raw, "name task summary licence contract calibration evidence data")
    contract = root.table("contract", "labels revision threshold temperature crop inputs outputs")
    calibration = root.table("calibration", "pack split count")
    evidence = root.table("evidence", "pack split metric max_drop")
    origin = root.table("data", "packs terms")
    task = root.text("task", allowed=TASKS)
    labels = contract.texts("labels")
    outputs = _tensors(contract, "outputs")
    meanings = {tensor.meaning for tensor in outputs}
    if "logits" in meanings and not labels:
        reader.problem("contract.labels", "are missing for the logits")
    if "embedding" in meanings and not contract.text("revision", default=""):
        reader.problem("contract.revision", "is missing for the embedding")
    return Card(
        folder=folder,
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
            calibration.text("pack"),
            calibration.text("split", default=""),
            calibration.whole("count", 300, 100_000),
        ),
        evidence=EvidencePlan(
            evidence.text("pack"),
            evidence.text("split", default=""),
            evidence.text("metric"),
            evidence.number("max_drop", 0.0, 1000.0),
        ),
        packs=origin.texts("packs"),
        terms=origin.text("terms"),
    )


def _crop(contract: _Table) -> Crop:
    crop = contract.table("crop", "kind scale shift_y replicate")
    return Crop(
        kind=crop.text("kind", allowed=CROPS),
        scale=crop.number("scale", 0.1, 10.0, default=1.0),
        shift_y=crop.number("shift_y", -1.0, 1.0, default=0.0),
        replicate=crop.flag("replicate"),
    )


def _tensors(contract: _Table, key: str) -> tuple[TensorCard, ...]:
    tensors = []
    for item in contract.tables(key, "meaning shape colour stride"):
        meaning = item.text("meaning", allowed=MEANINGS)
        stride = item.whole("stride", 0, 1024, default=0)
        if (meaning in _GRID) != (stride > 0):
            item.problem("stride", f"{stride} does not fit meaning {meaning!r}")
        colours = ("BGR", "RGB", "GREY") if meaning == "image" else ("", "GREY")
        colour = item.text("colour", allowed=colours, default=colours[0])
        tensors.append(TensorCard(meaning, item.shape("shape"), colour, stride))
    return tuple(tensors)


class _Reader:
    """Collect what is wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def problem(self, key: str, what: str) -> None:
        text = f"{key}: {what}"
        if text not in self.problems:
            self.problems.append(text)


class _Table:
    """One table of a card; a wrong value is noted and a harmless one handed out instead."""

    def __init__(self, reader: _Reader, prefix: str, raw: object, known: str) -> None:
        self._reader, self._prefix = reader, prefix
        self._fields: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            reader.problem(prefix.rstrip("."), "is missing" if raw is None else "must be a table")
        for key in self._fields:
            if key not in known.split():
                self.problem(key, f"is unknown; known are {known}")

    def problem(self, key: str, what: str) -> None:
        self._reader.problem(self._prefix + key, what)

    def table(self, key: str, known: str) -> _Table:
        return _Table(self._reader, f"{self._prefix}{key}.", self._fields.get(key), known)

    def tables(self, key: str, known: str) -> list[_Table]:
        items = self._fields.get(key)
        if not isinstance(items, list) or not 1 <= len(items) <= 64:
            self.problem(key, "must be 1 to 64 tables")
            return []
        return [
            _Table(self._reader, f"{self._prefix}{key}[{i}].", item, known)
            for i, item in enumerate(items)
        ]

    def text(self, key: str, *, allowed: tuple[str, ...] = (), default: str | None = None) -> str:
        value = self._fields.get(key, default)
        if value is None:
            self.problem(key, "is missing")
        elif not isinstance(value, str) or len(value) > 2000 or (not value and default is None):
            self.problem(key, f"{value!r} is no text")
        elif allowed and value not in allowed:
            self.problem(key, f"{value!r} is none of {', '.join(map(repr, allowed))}")
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._fields.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            self.problem(key, f"{value!r} is no list of texts")
            return ()
        return tuple(value)

    def number(self, key: str, low: float, high: float, *, default: float | None = None) -> float:
        value = self._fields.get(key, default)
        if value is None:
            self.problem(key, "is missing")
        elif type(value) not in (int, float) or not low <= value <= high or math.isnan(value):
            self.problem(key, f"{value!r} is not between {low:g} and {high:g}")
        else:
            return float(value)
        return low

    def whole(self, key: str, low: int, high: int, *, default: int | None = None) -> int:
        value = self.number(key, low, high, default=default)
        if value != int(value):
            self.problem(key, f"{value!r} is no whole number")
        return int(value)

    def flag(self, key: str) -> bool:
        value = self._fields.get(key, False)
        if not isinstance(value, bool):
            self.problem(key, f"{value!r} is neither true nor false")
        return value is True

    def shape(self, key: str) -> tuple[int, ...]:
        value = self._fields.get(key)
        whole = isinstance(value, list) and all(type(n) is int and n >= 1 for n in value)
        if not isinstance(value, list) or not whole or not 1 <= len(value) <= 6:
            self.problem(key, f"{value!r} is no shape")
            return (1,)
        return tuple(value)
