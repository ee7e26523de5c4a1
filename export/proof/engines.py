"""Open a stranger's network in its own framework, and our artefacts of it, as one kind of call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.foreign.picture import Arrays, Picture, Run
from export.gate import original
from export.program.lowered import Lowered, feed

__all__ = ["open_artefact", "open_original", "to_bytes"]


def to_bytes(inputs: Arrays, pictures: tuple[Picture, ...]) -> tuple[NDArray[np.uint8], ...]:
    """Turn real values back into the very bytes that they were made of."""
    return tuple(
        np.rint(values * np.float32(picture.std) + np.float32(picture.mean)).astype(np.uint8)
        for values, picture in zip(inputs, pictures, strict=True)
    )


@contextlib.contextmanager
def open_artefact(lowered: Lowered, pictures: tuple[Picture, ...]) -> Iterator[Run]:
    """Open one of our artefacts as the device would, one thread.

    Args:
        lowered: the artefact; bytes go in where it is INT8.
        pictures: of its inputs.

    Raises:
        BundleError: the engine does not take the file.
        UnavailableError: the engine is not installed.
    """
    contract = lowered.contract
    with lowered.open() as engine:

        def run(inputs: Arrays) -> Arrays:
            feed(contract.inputs, to_bytes(inputs, pictures), engine)
            engine.run()
            outputs = zip(contract.outputs, engine.outputs, strict=True)
            return tuple(spec.to_real(stored) for spec, stored in outputs)

        yield run


def open_original(path: Path) -> Run:
    """Open a network file in the framework that it was made for.

    Raises:
        UnavailableError: the framework is not installed.
    """
    return _tflite(path) if path.suffix == ".tflite" else original.open_original(path)


def _tflite(path: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    sources, results = interpreter.get_input_details(), interpreter.get_output_details()

    def run(inputs: Arrays) -> Arrays:
        for detail, values in zip(sources, inputs, strict=True):
            interpreter.set_tensor(detail["index"], _stored(detail, values))
        interpreter.invoke()
        return tuple(_real(detail, interpreter.get_tensor(detail["index"])) for detail in results)

    return run


def _stored(detail: dict[str, Any], values: NDArray[np.float32]) -> NDArray[Any]:
    if detail["dtype"] == np.float32:
        return values
    scale, zero_point = detail["quantization"]
    ends = np.iinfo(detail["dtype"])
    stored = np.rint(values / np.float32(scale)) + zero_point
    return np.clip(stored, ends.min, ends.max).astype(detail["dtype"])


def _real(detail: dict[str, Any], stored: NDArray[Any]) -> NDArray[np.float32]:
    if detail["dtype"] == np.float32:
        return stored.copy()
    scale, zero_point = detail["quantization"]
    return (stored.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
