"""What every engine is: open an artefact, run it, close it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.contract import TensorSpec
from edge.errors import BundleError

__all__ = ["Engine", "allocate", "refuse"]


class Engine(Protocol):
    """One artefact, ready to run in one thread.

    Attributes:
        name: of the engine: ``tflite``, ``onnxruntime``, ``null``.
        inputs: writable arrays in the contract's order, shape and dtype; a caller fills them
            before ``run``. The same memory for the life of the engine.
        outputs: arrays in the contract's order, shape and dtype, valid until the next ``run``.
    """

    name: str
    inputs: tuple[NDArray[Any], ...]
    outputs: tuple[NDArray[Any], ...]

    def run(self) -> None:
        """Compute ``outputs`` from ``inputs``."""
        ...

    def close(self) -> None:
        """Free what the engine holds; a second call does nothing."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, *error: object) -> None: ...


def allocate(specs: tuple[TensorSpec, ...]) -> tuple[NDArray[Any], ...]:
    """Return zeroed, contiguous arrays of these shapes and dtypes."""
    return tuple(np.zeros(spec.shape, spec.dtype) for spec in specs)


def refuse(where: str, problem: str) -> BundleError:
    """Return the error of a file that is not what its contract says."""
    return BundleError(
        f"{where}: {problem}",
        hint="make the bundle again with: edge-export make --out BUNDLE",
        code="engine.contract",
    )
