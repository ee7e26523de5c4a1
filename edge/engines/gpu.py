"""Open the GPU by whichever library is there.

PyCUDA goes first. It has no CUDA graphs (its release 2026.1 wraps none of cuStreamBeginCapture),
and frees what belongs to a context only in the thread that retained it; cuda-python has neither
limit and serves where PyCUDA is absent.
"""

from __future__ import annotations

import ctypes

from edge.engines.cuda import DRIVER, Gpu
from edge.errors import UnavailableError

__all__ = ["open_gpu"]

#: What a compiled module raises that was made for another CUDA, Python or NumPy.
_BROKEN = (ImportError, OSError, ValueError, AttributeError)


def open_gpu() -> Gpu:
    """Open the first GPU; nothing else of CUDA or TensorRT may be touched before.

    Without a device TensorRT's own runtime ends the process when it reads an engine.

    Raises:
        UnavailableError: there is no driver, no GPU, or none of the two libraries.
    """
    try:
        ctypes.CDLL(DRIVER)
    except OSError as error:
        raise UnavailableError(
            f"no NVIDIA driver on this machine ({DRIVER} is not there)",
            hint="on a Jetson it comes with JetPack; elsewhere take --engine tflite",
            code="cuda.driver",
        ) from error
    broken = []
    try:
        from edge.engines.cuda_pycuda import PyCudaGpu

        return PyCudaGpu()
    except _BROKEN as error:
        broken += _said("PyCUDA", error)
    try:
        from edge.engines.cuda_python import CudaPythonGpu

        return CudaPythonGpu()
    except _BROKEN as error:
        broken += _said("cuda-python", error)
        found = f"cannot be imported: {'; '.join(broken)}" if broken else "neither is installed"
        raise UnavailableError(
            f"the engine tensorrt needs PyCUDA or cuda-python, and {found}",
            hint="pip install cuda-python, of the driver's CUDA (JetPack 6: 'cuda-python<13'), or "
            "pycuda, which is compiled; edge-doctor gpu prints the command",
            code="cuda.library",
        ) from error


def _said(name: str, error: Exception) -> list[str]:
    """Return what is wrong with a library that is there; nothing of one that is not."""
    return [] if isinstance(error, ModuleNotFoundError) else [f"{name}: {error}"]
