"""Inputs for calibration and for comparing artefacts: training pictures, as the device sees them.

Every picture goes through the runtime's own ``prepare``, and none may stand in the set that the
network is judged on. A network whose input is no plain crop of a picture (it reads another
network's output, or pictures that must be made first) has a file ``samples.py`` beside its card,
with

    calibration(data_dir, count) -> iterator of tuples of uint8 arrays, one for each input
    evidence(data_dir, limit)    -> iterator of (bare picture, masked picture, drawn mask)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.faces import FaceFinder
from benchmarks.packs import Pack
from edge.contract import Contract
from edge.errors import ConfigError, DataError, EdgeError
from edge.evidence import CalibrationRecord
from export.calibration.overlap import Known, fingerprint
from export.calibration.samples import (
    Picture,
    Preparer,
    as_inputs,
    folder_pictures,
    given,
    known_pictures,
    pack_pictures,
    shuffled,
)
from export.cards.card import Card
from export.importers.load import load_module
from export.program.lowered import Sample

__all__ = [
    "HELD_BACK",
    "SAMPLES",
    "Calibrated",
    "Draw",
    "folder_inputs",
    "given_inputs",
    "pack_inputs",
    "recipe_function",
    "sample_inputs",
]

#: Inputs beside those of the calibration, on which float and INT8 are compared.
HELD_BACK = 64
SAMPLES = "samples.py"


class Calibrated(NamedTuple):
    """Inputs of a network.

    Attributes:
        samples: to calibrate with.
        held_back: others to compare artefacts on; none if the set has none to spare.
        manifest: what the samples are, with a digest of their decoded pictures.
    """

    samples: list[Sample]
    held_back: list[Sample]
    manifest: CalibrationRecord


@dataclass(frozen=True, slots=True)
class Draw:
    """How inputs are drawn from a set.

    Attributes:
        count: at most so many to calibrate with.
        minimum: at least so many; fewer do not show what a network meets.
        known: pictures that the network is judged on, see ``export.calibration.samples``.
        finder: chooses the face of a picture; without it a whole picture is a face.
        method: of the calibration, for the manifest.
    """

    count: int = 600
    minimum: int = 300
    known: Known = field(default_factory=Known)
    finder: FaceFinder | None = None
    method: str = "minmax"


def sample_inputs(
    card: Card, contract: Contract, data: Path, finder: FaceFinder | None
) -> Calibrated:
    """Collect a network's inputs on the training pictures that its card names.

    Pictures that also stand in the card's evidence set are passed over.

    Args:
        card: says which pack and split, and how many.
        contract: of the float artefact.
        data: folder of the data packs.
        finder: chooses the face of a picture; a detector needs none.

    Returns:
        ``card.calibration.count`` inputs to calibrate with, and ``HELD_BACK`` others.

    Raises:
        MissingInput, DataError: a pack cannot be read or is too small.
        ConfigError: ``samples.py`` is wrong.
        UsageError: the network takes no plain picture and there is no ``samples.py``.
    """
    plan, wanted = card.calibration, card.calibration.count + HELD_BACK
    items: Iterable[Picture | Sample]
    known = Known()
    if (card.folder / SAMPLES).is_file():
        made = recipe_function(card, "calibration")(data, wanted)
        items = (_checked(card, contract, sample) for sample in made)
    else:
        items = shuffled(pack_pictures(Pack.open(data / plan.pack), plan.split))
        if card.evidence.pack:
            judged = pack_pictures(Pack.open(data / card.evidence.pack), card.evidence.split)
            known = known_pictures(judged)
    found = _harvest(items, contract, known, finder, wanted)
    hint = "lower calibration.count in the card, or name a larger pack"
    found.demand(wanted, str(data / plan.pack), hint=hint)
    return found.part(plan.count, plan.pack, plan.split, plan.method)


def folder_inputs(folder: Path, contract: Contract, draw: Draw = Draw()) -> Calibrated:
    """Collect a network's inputs on the pictures of a folder and of those inside it.

    Args:
        folder: with pictures.
        contract: of the float artefact; its crop says how a picture goes in.
        draw: how many are drawn, and what must not be among them.

    Raises:
        MissingInput: there is no such folder.
        DataError: too few of its pictures can be read, or some stand in the evaluation set (a
            pair is named).
        UsageError: the network takes no plain picture.
    """
    pictures = shuffled(folder_pictures(folder))
    return _drawn(pictures, contract, draw, str(folder), source=folder.resolve().name)


def pack_inputs(folder: Path, split: str, contract: Contract, draw: Draw = Draw()) -> Calibrated:
    """Collect a network's inputs on the pictures of a data pack's split.

    Args:
        folder: of the pack.
        split: of the pack; may be empty for all of it.
        contract, draw: as in ``folder_inputs``.

    Raises:
        MissingInput, DataError: as in ``folder_inputs``, or the pack has no such split.
        UsageError: the network takes no plain picture.
    """
    pack = Pack.open(folder)
    pictures = shuffled(pack_pictures(pack, split))
    return _drawn(pictures, contract, draw, str(folder), source=pack.name, split=split)


def given_inputs(
    items: Iterable[Any], contract: Contract, draw: Draw = Draw(), *, source: str = "iterable"
) -> Calibrated:
    """Collect a network's inputs from anything that can be iterated over, in its order.

    Args:
        items: pictures, uint8 ``[H, W, 3]`` (BGR) or ``[H, W]``, which are prepared as the device
            does it; or inputs as they go in, see ``export.calibration.samples.given``. No more are
            drawn than are needed.
        contract, draw: as in ``folder_inputs``.
        source: what the items are, for messages and the manifest.

    Raises:
        DataError: as in ``folder_inputs``, or an item is neither.
        UsageError: an item is a picture and the network takes no plain picture.
    """
    inputs = (given(item, f"{source} {number}", contract) for number, item in enumerate(items))
    return _drawn(inputs, contract, draw, source, source=source)


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


@dataclass(slots=True)
class _Harvest:
    """What was found in a set.

    Attributes:
        inputs: with the digest of the picture that each was made of.
        unreadable: pictures that could not be decoded.
        copies: name of a picture that was passed over, and of itself in the evaluation set.
    """

    inputs: list[tuple[Sample, bytes]] = field(default_factory=list)
    unreadable: int = 0
    copies: list[tuple[str, str]] = field(default_factory=list)

    def demand(self, least: int, where: str, *, hint: str) -> None:
        """Refuse a set with too few inputs."""
        if len(self.inputs) >= least:
            return
        passed = [f"{self.unreadable} cannot be read"] if self.unreadable else []
        passed += [f"{len(self.copies)} stand in the evaluation set"] if self.copies else []
        also = f" ({', '.join(passed)})" if passed else ""
        raise DataError(
            f"{where}: {len(self.inputs)} pictures to calibrate with and to compare on{also}, "
            f"{least} are needed",
            hint=hint,
            code="export.samples",
        )

    def part(self, count: int, source: str, split: str, method: str) -> Calibrated:
        """Part what is calibrated with from what is held back."""
        samples = [sample for sample, _ in self.inputs]
        digest = hashlib.sha256(b"".join(digest for _, digest in self.inputs[:count])).hexdigest()
        manifest = CalibrationRecord(source, split, len(samples[:count]), digest, method)
        return Calibrated(samples[:count], samples[count : count + HELD_BACK], manifest)


def _drawn(
    items: Iterable[Picture | Sample],
    contract: Contract,
    draw: Draw,
    where: str,
    *,
    source: str,
    split: str = "",
) -> Calibrated:
    found = _harvest(items, contract, draw.known, draw.finder, draw.count + HELD_BACK)
    if found.copies:
        mine, theirs = found.copies[0]
        raise DataError(
            f"{where}: {len(found.copies)} pictures stand in the evaluation set too: {mine} is "
            f"{theirs} there",
            hint="take them out: figures on pictures that calibration saw say nothing",
            code="calibration.overlap",
        )
    found.demand(draw.minimum, where, hint="give more pictures, or ask for fewer with --count")
    spare = max(draw.minimum, len(found.inputs) - HELD_BACK)
    return found.part(min(draw.count, spare), source, split, draw.method)


def _harvest(
    items: Iterable[Picture | Sample],
    contract: Contract,
    known: Known,
    finder: FaceFinder | None,
    wanted: int,
) -> _Harvest:
    """Prepare pictures until there are enough."""
    found = _Harvest()
    with Preparer(contract, finder) as prepare:
        for item in items:
            if isinstance(item, Picture):
                try:
                    image = item.read()
                except EdgeError:
                    found.unreadable += 1
                    continue
                mark = fingerprint(item.name, image)
                twin = known.find(mark)
                if twin is not None:
                    found.copies.append((item.name, twin))
                    continue
                found.inputs.append((prepare(item, image), mark.digest))
            else:
                stored = b"".join(array.tobytes() for array in item)
                found.inputs.append((item, hashlib.sha256(stored).digest()))
            if len(found.inputs) >= wanted:
                break
    return found


def _checked(card: Card, contract: Contract, sample: object) -> Sample:
    """Give a recipe's arrays the batch and the channel that the contract wants."""
    inputs = as_inputs(sample, contract, ("uint8",))
    if inputs is None:
        raise ConfigError(
            f"{card.folder / SAMPLES}: calibration() must give tuples of uint8 arrays of the "
            f"shapes {[list(spec.shape[1:]) for spec in contract.inputs]}",
            code="recipe.samples",
        )
    return inputs
