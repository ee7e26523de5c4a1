"""The GPU as an engine needs it: memory, page-locked buffers, a stream; by whichever library."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from numpy.typing import DTypeLike, NDArray

from edge.errors import UnavailableError

__all__ = ["DRIVER", "Gpu", "Graph", "Memory", "Stream", "gpu_failed", "no_device"]

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
