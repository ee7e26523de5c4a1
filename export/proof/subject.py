"""What is proven: a stranger's file, or one of the older networks with random weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import FaceFinder
from benchmarks.foreign.network import Network, Trial
from benchmarks.foreign.picture import Arrays, Picture, Run
from benchmarks.packs import Pack
from edge.errors import DataError, MissingInput
from export.cache import digest, digest_files
from export.cards.card import TensorCard
from export.importers.source import find_source
from export.program.lower import lower_module
from export.proof.engines import open_original, to_bytes
from export.proof.shapes.catalogue import Shape, random_inputs

__all__ = [
    "CALIBRATION",
    "HELD_BACK",
    "NOISE_CALIBRATION",
    "NOISE_HELD_BACK",
    "Subject",
    "of_network",
    "of_shape",
]

#: Inputs that calibrate, and others on which outputs are compared: training pictures of a
#: stranger's network, and noise for random weights, where few say all there is to say.
CALIBRATION, HELD_BACK = 300, 32
NOISE_CALIBRATION, NOISE_HELD_BACK = 12, 4

Bytes = tuple[NDArray[np.uint8], ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A network on its way through the proof.

    Attributes:
        name, summary, licence: for the table.
        kind: ``onnx``, ``keras``, ``tflite`` or ``torch``.
        key: digest of everything that takes part in its float program.
        original_key: digest of the original alone.
        inputs_key: digest of what takes part in ``inputs``, beside code and the face finder.
        pictures: its inputs.
        meanings: of them.
        load: makes the float program.
        original: opens it in its own framework.
        inputs: yields bytes for its inputs, the last ``held_back`` of them for comparison.
        held_back: how many.
        trials: how it is judged.
        stays: why it is not converted; may be empty.
        method: of calibration, see ``export.calibration.ranges.observe``.
        least_db: signal to noise that the outputs of INT8 must keep; 0 asks for nothing.
        double: opens the original in double precision, where that can be had.
    """

    name: str
    summary: str
    licence: str
    kind: str
    key: str
    original_key: str
    inputs_key: str
    pictures: tuple[Picture, ...]
    meanings: tuple[str, ...]
    load: Callable[[], bytes]
    original: Callable[[], Run]
    inputs: Callable[[], Iterator[Bytes]]
    held_back: int
    trials: tuple[Trial, ...] = ()
    stays: str = ""
    method: str = "minmax"
    least_db: float = 0.0
    double: Callable[[], Run] | None = None

    @property
    def cards(self) -> tuple[TensorCard, ...]:
        """What its inputs mean, as a bare file's are told to export."""
        return tuple(
            TensorCard(
                meaning, picture.shape, picture.colour, mean=(picture.mean,), std=(picture.std,)
            )
            for meaning, picture in zip(self.meanings, self.pictures, strict=True)
        )


def of_network(network: Network, weights: Path, data: Path, finder: FaceFinder) -> Subject:
    """Prove a stranger's file.

    Args:
        network: which.
        weights: folder of all weights.
        data: folder of the data packs.
        finder: finds the faces that it reads.

    Raises:
        MissingInput: its file is not there.
        DataError: its file is another one.
    """
    path = weights / network.file
    if not path.is_file():
        raise MissingInput(f"{path}: is not at hand", code="proof.missing")
    if hashlib.sha256(path.read_bytes()).hexdigest() != network.sha256:
        raise DataError(
            f"{path}: is not the file that the catalogue speaks of",
            hint="its figures would be another network's; fetch the file with that sha256",
            code="proof.digest",
        )
    source = find_source(path, size_hw=network.picture.size_hw if network.open_size else None)

    def inputs() -> Iterator[Bytes]:
        for values in network.inputs(data, finder, CALIBRATION + HELD_BACK):
            yield to_bytes(values, (network.picture,))

    return Subject(
        name=network.name,
        summary=network.file,
        licence=network.licence,
        kind=source.kind,
        key=source.key,
        original_key=network.sha256,
        inputs_key=digest(
            network.name, [Pack.open(data / feed.pack).digest() for feed in network.feeds]
        ),
        pictures=(network.picture,),
        meanings=("image",),
        load=source.load,
        original=lambda: open_original(path),
        inputs=inputs,
        held_back=HELD_BACK,
        trials=network.trials,
        stays=network.stays,
    )


def of_shape(shape: Shape) -> Subject:
    """Prove one of the older networks, with random weights and on random pictures."""
    key = digest(shape.name, digest_files(Path(__file__).parent, "shapes/*.py"))

    def opened(*, double: bool) -> Run:
        import torch

        network = shape.network()
        if double:
            network = network.double()

        def run(inputs: Arrays) -> Arrays:
            given = (torch.from_numpy(values) for values in inputs)
            with torch.no_grad():
                outputs = network(*(values.double() if double else values for values in given))
            tensors = outputs if isinstance(outputs, tuple) else (outputs,)
            return tuple(tensor.numpy() for tensor in tensors)

        return run

    return Subject(
        name=shape.name,
        summary=f"{shape.summary}; random weights",
        licence="Apache-2.0",
        kind="torch",
        key=key,
        original_key=key,
        inputs_key=key,
        pictures=shape.pictures,
        meanings=shape.meanings,
        load=lambda: lower_module(
            shape.network(), [picture.shape for picture in shape.pictures], where=shape.name
        ),
        original=partial(opened, double=False),
        inputs=lambda: random_inputs(shape, NOISE_CALIBRATION + NOISE_HELD_BACK, seed=1),
        held_back=NOISE_HELD_BACK,
        # Random weights give bells, whose ends grow with the number of values that are seen.
        method="mse",
        least_db=shape.least_db,
        double=partial(opened, double=True),
    )
