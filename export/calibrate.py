"""Inputs for calibration and for comparing artefacts: training pictures, as the device sees them.

Every picture goes through the runtime's own ``prepare``. A network whose input is no plain crop
of a picture (it reads another network's output, or pictures that must be made first) has a file
``samples.py`` beside its card, with

    calibration(data_dir, count) -> iterator of tuples of uint8 arrays, one for each input
    evidence(data_dir, limit)    -> iterator of (bare picture, masked picture, drawn mask)
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faces import FaceFinder
from benchmarks.packs import Pack
from benchmarks.readers import Row
from edge.contract import Contract
from edge.engines.base import Engine
from edge.engines.null import NullEngine
from edge.errors import ConfigError, DataError
from edge.frames import Frame
from edge.stages import DetectStage, EmotionStage, IdentifyStage, MaskStage
from edge.stages.base import Stage
from export.card import Card
from export.load import load_module
from export.quantise import Bytes

__all__ = ["HELD_BACK", "SAMPLES", "recipe_function", "sample_inputs"]

#: Inputs after those of the calibration, on which float and INT8 are compared.
HELD_BACK = 64
SAMPLES = "samples.py"

_STAGES: dict[str, Callable[[Engine, Contract], Stage[Any]]] = {
    "detect": DetectStage,
    "mask": MaskStage,
    "identity": IdentifyStage,
    "identity-masked": IdentifyStage,
    "emotion": EmotionStage,
}


def sample_inputs(
    card: Card, contract: Contract, data: Path, finder: FaceFinder | None
) -> tuple[list[Bytes], list[Bytes]]:
    """Collect a network's inputs on training pictures.

    Args:
        card: says which pack and split, and how many.
        contract: of the float artefact.
        data: folder of the data packs.
        finder: chooses the face of a picture; a detector needs none.

    Returns:
        Inputs to calibrate with, ``card.calibration.count`` of them, and ``HELD_BACK`` others.

    Raises:
        MissingInput, DataError: the pack cannot be read or is too small.
        ConfigError: ``samples.py`` is wrong, or missing where it is needed.
    """
    count = card.calibration.count + HELD_BACK
    if (card.folder / SAMPLES).is_file():
        made = recipe_function(card, "calibration")(data, count)
        samples = [_checked(card, contract, s) for s in itertools.islice(made, count)]
    elif card.task in _STAGES:
        samples = list(_prepared(card, contract, data, finder, count))
    else:
        raise ConfigError(
            f"{card.folder / SAMPLES}: is missing, and a network of the task {card.task} has no "
            "inputs without it",
            code="recipe.samples",
        )
    if len(samples) < count:
        raise DataError(
            f"{data / card.calibration.pack}: {len(samples)} pictures to calibrate with and to "
            f"compare on, {count} are needed",
            hint="lower calibration.count in the card, or name a larger pack",
            code="export.samples",
        )
    return samples[: card.calibration.count], samples[card.calibration.count :]


def recipe_function(card: Card, name: str) -> Callable[..., Iterator[Any]]:
    """Return a function of a recipe's ``samples.py``.

    Raises:
        MissingInput, ConfigError: there is no such file, or no such function in it.
    """
    function: Callable[..., Iterator[Any]] | None = getattr(
        load_module(card.folder / SAMPLES), name, None
    )
    if function is None:
        raise ConfigError(f"{card.folder / SAMPLES}: no function {name}()", code="recipe.samples")
    return function


def _prepared(
    card: Card, contract: Contract, data: Path, finder: FaceFinder | None, count: int
) -> Iterator[Bytes]:
    """Run the runtime's ``prepare`` on pictures of the card's pack, in an order of no meaning."""
    contract = dataclasses.replace(
        contract,
        inputs=tuple(
            dataclasses.replace(spec, dtype="uint8", scale=1 / 128, zero_point=128)
            for spec in contract.inputs
        ),
    )
    pack = Pack.open(data / card.calibration.pack)
    rows = _one_a_picture(pack.rows(card.calibration.split or None))
    order = np.random.default_rng(0).permutation(len(rows))[:count]
    with NullEngine(contract) as engine:
        stage = _STAGES[card.task](engine, contract)
        for row in (rows[int(i)] for i in order):
            if contract.crop.kind == "frame" or finder is None:
                stage.prepare(Frame(pack.image(row["file"]), 0, 0, row["file"]))
            else:
                face = finder.find_row(pack, row)
                stage.prepare(face.frame, face.detection)
            yield tuple(array.copy() for array in engine.inputs)


def _one_a_picture(rows: list[Row]) -> list[Row]:
    return list({row["file"]: row for row in reversed(rows)}.values())[::-1]


def _checked(card: Card, contract: Contract, sample: object) -> Bytes:
    """Give a recipe's arrays the batch and the channel that the contract wants."""
    shapes = [spec.shape for spec in contract.inputs]
    arrays = sample if isinstance(sample, tuple) else (sample,)
    if [getattr(a, "size", 0) for a in arrays] != [math.prod(s) for s in shapes] or any(
        a.dtype != np.uint8 for a in arrays
    ):
        raise ConfigError(
            f"{card.folder / SAMPLES}: calibration() must give tuples of uint8 arrays of the "
            f"shapes {[list(s[1:]) for s in shapes]}",
            code="recipe.samples",
        )
    return tuple(a.reshape(shape) for a, shape in zip(arrays, shapes, strict=True))
