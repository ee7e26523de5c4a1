"""The GPU through PyCUDA."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pycuda.driver as cuda
from numpy.typing import DTypeLike, NDArray

from edge.engines.cuda import DRIVER, Graph, Memory, gpu_failed, no_device
from edge.owned import Owned

__all__ = ["PyCudaGpu"]


class PyCudaGpu(Owned):
    """See ``edge.engines.cuda.Gpu``.

    PyCUDA keeps a stack of contexts for each thread; a push and a pop around every use lets the
    engine be opened, run and closed in different threads.
    """

    library = "pycuda"

    def __init__(self) -> None:
        try:
            cuda.init()
            if cuda.Device.count() == 0:
                raise no_device("CUDA counts none")
            device = cuda.Device(0)
            self._context: Any = device.retain_primary_context()
        except cuda.Error as error:
            raise no_device(str(error)) from error
        self.name = str(device.name())
        self.compute = "{}.{}".format(*device.compute_capability())
        version = cuda.get_driver_version()
        self.driver = f"{version // 1000}.{version % 1000 // 10}"

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the primary context the calling thread's."""
        try:
            self._context.push()
            try:
                yield
            finally:
                cuda.Context.pop()
        except cuda.Error as error:
            raise gpu_failed(str(error)) from error

    def page_locked(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return zeroed page-locked memory; PyCUDA frees it with the last array on it."""
        array: NDArray[Any] = cuda.pagelocked_empty(shape, np.dtype(dtype))
        array.fill(0)
        return array

    def allocate(self, size: int) -> _Memory:
        """Return so many bytes on the GPU."""
        return _Memory(size)

    def stream(self) -> _Stream:
        """Return a new stream."""
        return _Stream()

    def close(self) -> None:
        """Let the context go; a second call does nothing."""
        context, self._context = self._context, None
        if context is None:
            return
        # PyCUDA releases a context in a foreign thread only while it is that thread's own, and
        # then leaves it current (cuda.hpp, primary_context, in its release 2026.1).
        context.push()
        context.detach()
        ctypes.CDLL(DRIVER).cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))


class _Memory:
    def __init__(self, size: int) -> None:
        self._held: Any = cuda.mem_alloc(size)
        self.address = int(self._held)

    def free(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.free()


class _Stream:
    def __init__(self) -> None:
        self._held: Any = cuda.Stream()
        self.handle = int(self._held.handle)

    def copy_in(self, memory: Memory, array: NDArray[Any]) -> None:
        cuda.memcpy_htod_async(memory.address, array, self._held)

    def copy_out(self, array: NDArray[Any], memory: Memory) -> None:
        cuda.memcpy_dtoh_async(array, memory.address, self._held)

    def wait(self) -> None:
        self._held.synchronize()

    def record(self, work: Callable[[], None]) -> Graph | None:
        return None

    def free(self) -> None:
        # Its destructor gives it back, in this thread, while the context is active.
        with suppress(AttributeError):
            del self._held
