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
    try:
        from edge.engines.cuda_pycuda import PyCudaGpu

        return PyCudaGpu()
    except ImportError:
        pass
    try:
        from edge.engines.cuda_python import CudaPythonGpu

        return CudaPythonGpu()
    except ImportError as error:
        raise UnavailableError(
            "the engine tensorrt needs PyCUDA or cuda-python, and neither is installed",
            hint="pip install pycuda (it compiles, and needs CUDA's headers) or: "
            "pip install cuda-python",
            code="cuda.library",
        ) from error
