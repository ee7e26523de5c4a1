"""Run a network in the framework that it came from, and hold the float program to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.quiet import quiet
from benchmarks.metrics import sqnr_db
from edge.contract import Contract, TensorSpec
from edge.errors import GateFailed, UnavailableError
from export.cards.card import Card, TensorCard
from export.importers.load import load_network
from export.importers.program import open_program
from export.importers.shapes import turned
from export.importers.source import Source
from export.program.lowered import Sample, real_values

if TYPE_CHECKING:
    from torch import nn

__all__ = ["LEAST_DB", "Run", "fidelity_db", "open_original", "original_outputs"]

#: Sums of float32 in another order stay above 90 dB; below this something was converted wrongly.
LEAST_DB = 60.0
#: Of sums of float32 around 1.
_ROUNDING = 1e-6

_Arrays = tuple[NDArray[np.float32], ...]
#: Compute a network once: real values in, pictures channels last; real values out, shaped as in
#: the network's own file.
Run = Callable[[_Arrays], _Arrays]


def original_outputs(
    source: Source,
    found: Sequence[NDArray[np.float32]],
    contract: Contract,
    samples: Sequence[Sample],
) -> list[NDArray[np.float32]] | None:
    """Run a network in its own framework, and hold the float program to it.

    Args:
        source: the network.
        found: each output of the float program over all samples.
        contract: of the float program.
        samples: inputs of both.

    Returns:
        Each output over all samples, float32 ``[len(samples), ...]``, with the axes of the float
        program; None where the network was TFLite or a SavedModel, its framework is not installed
        or too old for the file, or another size was asked for than the file's own.

    Raises:
        GateFailed: the float program is less than ``LEAST_DB`` near.
    """
    try:
        original = _open(source)
        if original is None:
            return None
        rows = [original(_fed(source.card, contract.inputs, sample)) for sample in samples]
    except UnavailableError:
        return None
    wanted = [
        np.stack([_like(values, spec.shape) for values in column])
        for column, spec in zip(zip(*rows, strict=True), contract.outputs, strict=True)
    ]
    decibel = fidelity_db(wanted, found)
    if not decibel >= LEAST_DB:
        raise GateFailed(
            f"{source.path}: the float program is {decibel:.1f} dB near the original and "
            f"{LEAST_DB:.0f} are the least",
            hint="this is a defect of the importer: please report the file",
            code="export.fidelity",
        )
    return wanted


def fidelity_db(
    wanted: Sequence[NDArray[np.float32]], found: Sequence[NDArray[np.float32]]
) -> float:
    """Return signal to difference in dB, at most 99, of the output that differs most.

    A probability of 1e-5 everywhere is no signal to be measured against.
    """
    return min(
        99.0 if np.abs(a - b).max() <= _ROUNDING else sqnr_db(a, b)
        for a, b in zip(wanted, found, strict=True)
    )


def _fed(
    card: Card | None, specs: tuple[TensorSpec, ...], sample: Sample
) -> tuple[NDArray[np.float32], ...]:
    """Return what the original reads for a sample.

    Means of several channels are an operator in front of the float program, not of the original.
    """
    values = real_values(specs, sample)
    if card is None:
        return values
    return tuple(
        _normalised(array.reshape(real.shape), said) if array.dtype == np.uint8 else real
        for real, array, said in zip(values, sample, card.inputs, strict=True)
    )


def _normalised(pixels: NDArray[np.uint8], said: TensorCard) -> NDArray[np.float32]:
    mean, std = np.array(said.mean, np.float32), np.array(said.std, np.float32)
    return (pixels.astype(np.float32) - mean) / std


def _like(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Bring an output of the original into the axes of the float program."""
    if values.shape != shape and len(shape) == 4 and turned(values.shape) == shape:
        return np.ascontiguousarray(values.transpose(0, 2, 3, 1))
    return values.reshape(shape)


def _open(source: Source) -> Run | None:
    """Open a network in its own framework; None where there is none but LiteRT.

    Raises:
        UnavailableError: the framework is not installed.
    """
    if source.kind == "recipe":
        assert source.card is not None, "find_source gives every recipe its card"
        return _torch(load_network(source.card))
    if source.kind == "program":
        return _torch(open_program(source.path, input_hw=source.size_hw).module)
    if source.path.suffix.lower() not in _OPENERS:
        return None
    return open_original(source.path)


def open_original(path: Path) -> Run:
    """Open a network file in the framework that it was made for, one thread.

    The file must have been read by its importer before: that is what looks for hostile content.

    Raises:
        UnavailableError: the framework is not installed, or too old for the file.
    """
    try:
        with quiet():
            return _OPENERS[path.suffix.lower()](path)
    except ImportError as error:
        raise UnavailableError(
            f"{path}: running it needs {error.name}",
            hint="pip install unveil-edge[export]",
            code="export.framework",
        ) from error


def _torch(network: nn.Module) -> Run:
    import torch

    def compute(inputs: _Arrays) -> _Arrays:
        with torch.no_grad():
            found = network(*map(torch.from_numpy, inputs))
        return tuple(t.numpy() for t in (found if isinstance(found, (tuple, list)) else (found,)))

    return compute


def _onnx(path: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # A file may be newer than the runtime, whose exceptions have no common base but this.
        raise UnavailableError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} does not open it: {error}",
            hint="pip install --upgrade onnxruntime",
            code="export.framework",
        ) from error
    initial = {value.name for value in session.get_overridable_initializers()}
    wanted = [value for value in session.get_inputs() if value.name not in initial]

    def compute(inputs: _Arrays) -> _Arrays:
        feed = {
            value.name: _placed(array, value.shape)
            for value, array in zip(wanted, inputs, strict=True)
        }
        for value in wanted:
            given = feed[value.name].shape
            fixed = [(n, m) for n, m in zip(value.shape, given, strict=True) if isinstance(n, int)]
            if any(n != m for n, m in fixed):
                raise UnavailableError(
                    f"{path}: takes {list(value.shape)} and was converted for {list(given)}",
                    code="export.framework",
                )
        return tuple(session.run(None, feed))

    return compute


def _placed(array: NDArray[np.float32], shape: list[int | str | None]) -> NDArray[np.float32]:
    """Turn a picture to channels first where the file has it so."""
    if array.ndim == 4 and shape[1] == array.shape[3] and shape[3] != array.shape[3]:
        return np.ascontiguousarray(array.transpose(0, 3, 1, 2))
    return array


def _keras(path: Path) -> Run:
    import keras
    import tensorflow as tf

    network = keras.models.load_model(path, compile=False, safe_mode=True)
    # A list where one tensor is expected makes Keras warn.
    graph = tf.function(
        lambda *values: network(values[0] if len(values) == 1 else list(values), training=False)
    )

    def compute(inputs: _Arrays) -> _Arrays:
        return tuple(tensor.numpy() for tensor in tf.nest.flatten(graph(*inputs)))

    return compute


_OPENERS: dict[str, Callable[[Path], Run]] = {
    ".onnx": _onnx,
    ".h5": _keras,
    ".hdf5": _keras,
    ".keras": _keras,
}
