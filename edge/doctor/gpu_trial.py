"""The steps towards a GPU, each in a process of its own: a driver that fails may end it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping, Sequence

from edge.engines.cuda import DRIVER
from edge.engines.gpu import open_gpu
from edge.engines.plans import import_tensorrt
from edge.errors import EdgeError, UnavailableError

__all__ = ["STEPS", "main"]


def _driver() -> str:
    """Load the driver; its version needs no device."""
    try:
        library = ctypes.CDLL(DRIVER)
    except OSError as error:
        raise UnavailableError(f"{DRIVER} is not there", hint="", code="cuda.driver") from error
    number = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(number))
    return f"{number.value // 1000}.{number.value % 1000 // 10}"


def _device() -> str:
    """Open the GPU as an engine does, and say which, apart by tabs."""
    gpu = open_gpu()
    try:
        return "\t".join((gpu.name, gpu.compute, gpu.driver, gpu.library))
    finally:
        gpu.close()


def _tensorrt() -> str:
    """Import TensorRT as an engine does."""
    return str(import_tensorrt().__version__)


#: What each prints: the driver's version of CUDA; name, compute capability, version of CUDA and
#: library of the GPU; the version of TensorRT.
STEPS: Mapping[str, Callable[[], str]] = {
    "driver": _driver,
    "device": _device,
    "tensorrt": _tensorrt,
}


def main(argv: Sequence[str]) -> None:
    """Take the step that is named; a refusal ends with ``code: what``."""
    (step,) = argv
    try:
        print(STEPS[step]())
    except EdgeError as error:
        sys.exit(f"{error.code}: {error.what}")


if __name__ == "__main__":
    main(sys.argv[1:])
