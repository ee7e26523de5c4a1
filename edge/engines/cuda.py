"""The GPU as an engine needs it: memory, page-locked buffers, a stream; by whichever library.

PyCUDA goes first. It has no CUDA graphs (its release 2026.1 wraps none of cuStreamBeginCapture),
and frees what belongs to a context only in the thread that retained it; cuda-python has neither
limit and serves where PyCUDA is absent.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from numpy.typing import DTypeLike, NDArray

from edge.errors import UnavailableError

__all__ = ["DRIVER", "Gpu", "Graph", "Memory", "Stream", "gpu_failed", "no_device", "open_gpu"]

#: The driver's own library; TensorRT and both libraries stand on it.
DRIVER = "libcuda.so.1"


class Memory(Protocol):
    """Bytes on the GPU.

    Attributes:
        address: of the first.
    """

    address: int

    def free(self) -> None:
        """Give them back; a second call does nothing."""
        ...


class Graph(Protocol):
    """What was recorded from a stream, to be launched in one call."""

    def launch(self) -> None:
        """Run all of it in its stream."""
        ...

    def free(self) -> None:
        """Give it back; a second call does nothing."""
        ...


class Stream(Protocol):
    """A queue of work for the GPU.

    Attributes:
        handle: as TensorRT takes it.
    """

    handle: int

    def copy_in(self, memory: Memory, array: NDArray[Any]) -> None:
        """Queue a copy to the GPU; the array stays as it is until ``wait``."""
        ...

    def copy_out(self, array: NDArray[Any], memory: Memory) -> None:
        """Queue a copy from the GPU; the array holds it after ``wait``."""
        ...

    def wait(self) -> None:
        """Wait until the queue is empty; other threads of Python run meanwhile."""
        ...

    def record(self, work: Callable[[], None]) -> Graph | None:
        """Record what ``work`` queues, without running it; None where that cannot be done."""
        ...

    def free(self) -> None:
        """Give it back; a second call does nothing."""
        ...


class Gpu(Protocol):
    """The first GPU, by its primary context: the one that everybody in the process shares.

    Attributes:
        library: ``pycuda`` or ``cuda-python``.
        name: of the GPU.
        compute: its compute capability, such as ``8.7``.
        driver: CUDA version of the driver, such as ``12.6``.
    """

    library: str
    name: str
    compute: str
    driver: str

    def active(self) -> AbstractContextManager[None]:
        """Make the context the calling thread's; everything else here wants that.

        Raises:
            UnavailableError: CUDA fails inside: out of memory, a device that is gone.
        """
        ...

    def page_locked(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return zeroed host memory that the GPU copies from and to by itself."""
        ...

    def allocate(self, size: int) -> Memory:
        """Return so many bytes on the GPU."""
        ...

    def stream(self) -> Stream:
        """Return a new stream."""
        ...

    def close(self) -> None:
        """Let the context go; a second call does nothing."""
        ...


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


def no_device(reason: str) -> UnavailableError:
    """Return the error of a machine whose driver shows no GPU."""
    return UnavailableError(
        f"no GPU that CUDA can use: {reason}",
        hint="see what the driver says with: nvidia-smi (on a Jetson: edge-doctor)",
        code="cuda.device",
    )


def gpu_failed(reason: str) -> UnavailableError:
    """Return the error of a GPU that fails in the middle of its work."""
    return UnavailableError(
        f"the GPU failed: {reason}",
        hint="free some of its memory and start again; the kernel's own words: sudo dmesg",
        code="cuda.failed",
    )
