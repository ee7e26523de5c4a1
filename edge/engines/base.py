"""What every engine is: open an artefact, run it, close it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.contract import TensorSpec
from edge.errors import BundleError

__all__ = ["Engine", "allocate", "refuse", "slot"]


class Engine(Protocol):
    """One artefact, ready to run in one thread.

    Attributes:
        name: of the engine: ``tflite``, ``onnxruntime``, ``tensorrt``, ``null``.
        batch: how many faces (or frames) one ``run`` takes at most. A contract is of one: where
            this is more, it is the length of the first axis of every array instead of 1.
        inputs: writable arrays in the contract's order, shape and dtype; a caller fills them
            before ``run``. The same memory for the life of the engine, and not a moment longer:
            hold none of it beyond ``close``.
        outputs: arrays in the contract's order, shape and dtype, valid until the next ``run``.
            They are the engine's as well.
    """

    name: str
    batch: int
    inputs: tuple[NDArray[Any], ...]
    outputs: tuple[NDArray[Any], ...]

    def run(self, count: int = 1) -> None:
        """Compute the first ``count`` of ``outputs`` from those of ``inputs``.

        Args:
            count: 1 to ``batch``.
        """
        ...

    def close(self) -> None:
        """Free what the engine holds; a second call does nothing."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, *error: object) -> None: ...


def allocate(specs: tuple[TensorSpec, ...]) -> tuple[NDArray[Any], ...]:
    """Return zeroed, contiguous arrays of these shapes and dtypes."""
    return tuple(np.zeros(spec.shape, spec.dtype) for spec in specs)


def slot(engine: Engine, array: NDArray[Any], place: int) -> NDArray[Any]:
    """Return one face's part of an engine's input or output, in the contract's shape.

    Args:
        engine: whose array it is.
        array: of ``inputs`` or ``outputs``.
        place: 0 to ``engine.batch - 1``.

    Returns:
        A view: what is written there is in the engine's memory.
    """
    return array if engine.batch == 1 else array[place : place + 1]


def refuse(where: str, problem: str) -> BundleError:
    """Return the error of a file that is not what its contract says."""
    return BundleError(
        f"{where}: {problem}",
        hint="make the bundle again with: edge-export make --out BUNDLE",
        code="engine.contract",
    )
