"""Run a network in the framework that it came from, and hold the float program to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.quiet import quiet
from benchmarks.metrics import sqnr_db
from edge.errors import GateFailed, UnavailableError
from export.importers.source import Source
from export.program.lowered import Lowered, Sample, real_values, run

__all__ = ["LEAST_DB", "Run", "fidelity_db", "open_original"]

#: Sums of float32 in another order stay above 90 dB; below this something was converted wrongly.
LEAST_DB = 60.0
_SAMPLES = 4
#: Of sums of float32 around 1.
_ROUNDING = 1e-6

_Arrays = tuple[NDArray[np.float32], ...]
#: Compute a network once: real values in, pictures channels last; real values out, shaped as in
#: the network's own file.
Run = Callable[[_Arrays], _Arrays]


def fidelity_db(source: Source, exact: Lowered, samples: Sequence[Sample]) -> float | None:
    """Run a network in its own framework and as the float program, on the same inputs.

    Args:
        source: the network.
        exact: the float program made of it.
        samples: of which the first few are run.

    Returns:
        Signal to difference in dB, at most 99, of the output that differs most; None where the
        network was TFLite, or its framework is not installed.

    Raises:
        GateFailed: less than ``LEAST_DB``.
    """
    opener = _OPENERS.get(source.path.suffix.lower())
    if opener is None:
        return None
    few = list(samples[:_SAMPLES])
    try:
        original = open_original(source.path)
    except UnavailableError:
        return None
    wanted = [original(real_values(exact.contract.inputs, sample)) for sample in few]
    columns = zip(zip(*wanted, strict=True), run(exact, few), strict=True)
    decibel = min(_decibel(np.stack(a), b) for a, b in columns)
    if not decibel >= LEAST_DB:
        raise GateFailed(
            f"{source.path}: the float program is {decibel:.1f} dB near the original and "
            f"{LEAST_DB:.0f} are the least",
            hint="this is a defect of the importer: please report the file",
            code="export.fidelity",
        )
    return decibel


def _decibel(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Compare one output; a probability of 1e-5 everywhere is no signal to be measured against."""
    found = found.reshape(wanted.shape)
    if np.abs(wanted - found).max() <= _ROUNDING:
        return 99.0
    return sqnr_db(wanted, found)


def open_original(path: Path) -> Run:
    """Open a network file in the framework that it was made for, one thread.

    The file must have been read by its importer before: that is what looks for hostile content.

    Raises:
        UnavailableError: the framework is not installed.
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


def _onnx(path: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    initial = {value.name for value in session.get_overridable_initializers()}
    wanted = [value for value in session.get_inputs() if value.name not in initial]

    def compute(inputs: _Arrays) -> _Arrays:
        feed = {
            value.name: _placed(array, value.shape)
            for value, array in zip(wanted, inputs, strict=True)
        }
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
    graph = tf.function(lambda *values: network(list(values), training=False))

    def compute(inputs: _Arrays) -> _Arrays:
        return tuple(tensor.numpy() for tensor in tf.nest.flatten(graph(*inputs)))

    return compute


_OPENERS: dict[str, Callable[[Path], Run]] = {
    ".onnx": _onnx,
    ".h5": _keras,
    ".hdf5": _keras,
    ".keras": _keras,
}
