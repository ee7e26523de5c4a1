"""The GPU through NVIDIA's cuda-python."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

try:
    from cuda.bindings import driver as cuda
except ImportError:  # before 12.6.1, which is what JetPack 5 and the first JetPack 6 can have
    from cuda import cuda

from edge.engines.cuda import Graph, Memory, gpu_failed, no_device
from edge.errors import EdgeError
from edge.owned import Owned

__all__ = ["CudaPythonGpu"]


class CudaPythonGpu(Owned):
    """See ``edge.engines.cuda.Gpu``."""

    library = "cuda-python"

    def __init__(self) -> None:
        try:
            _call(cuda.cuInit, 0)
            if _call(cuda.cuDeviceGetCount) == 0:
                raise no_device("CUDA counts none")
            self._device: Any = _call(cuda.cuDeviceGet, 0)
            name = bytes(_call(cuda.cuDeviceGetName, 128, self._device))
            self.name = name.split(b"\0")[0].decode("utf-8", "replace")
            attribute = cuda.CUdevice_attribute
            major = attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
            minor = attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR
            numbers = [_call(cuda.cuDeviceGetAttribute, a, self._device) for a in (major, minor)]
            version = _call(cuda.cuDriverGetVersion)
            self._context: Any = _call(cuda.cuDevicePrimaryCtxRetain, self._device)
        except (CudaError, RuntimeError) as error:
            raise no_device(str(error)) from error
        self.compute = "{}.{}".format(*numbers)
        self.driver = f"{version // 1000}.{version % 1000 // 10}"

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the primary context the calling thread's."""
        try:
            _call(cuda.cuCtxPushCurrent, self._context)
            try:
                yield
            finally:
                # After a failure inside this fails as well, and the first is the one to tell.
                cuda.cuCtxPopCurrent()
        except CudaError as error:
            raise gpu_failed(str(error)) from error

    def page_locked(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return zeroed page-locked memory, freed with the last array on it."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        address = int(_call(cuda.cuMemHostAlloc, size, 0))
        buffer = (ctypes.c_byte * size).from_address(address)
        # By then the context may be gone, and the memory with it: what this returns is of no use.
        weakref.finalize(buffer, cuda.cuMemFreeHost, address)
        array: NDArray[Any] = np.frombuffer(memoryview(buffer), dtype=kind).reshape(shape)
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
        if context is not None:
            _call(cuda.cuDevicePrimaryCtxRelease, self._device)


class CudaError(Exception):
    """A call of the driver failed; the text is CUDA's own name of the fault."""


class _Memory:
    def __init__(self, size: int) -> None:
        self._held: Any = _call(cuda.cuMemAlloc, size)
        self.address = int(self._held)

    def free(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            _call(cuda.cuMemFree, held)


class _Stream:
    def __init__(self) -> None:
        # One that does not wait for the default stream, which others in the process may use.
        self._held: Any = _call(cuda.cuStreamCreate, cuda.CUstream_flags.CU_STREAM_NON_BLOCKING)
        self.handle = int(self._held)

    def copy_in(self, memory: Memory, array: NDArray[Any]) -> None:
        _call(cuda.cuMemcpyHtoDAsync, memory.address, array.ctypes.data, array.nbytes, self._held)

    def copy_out(self, array: NDArray[Any], memory: Memory) -> None:
        _call(cuda.cuMemcpyDtoHAsync, array.ctypes.data, memory.address, array.nbytes, self._held)

    def wait(self) -> None:
        _call(cuda.cuStreamSynchronize, self._held)

    def record(self, work: Callable[[], None]) -> Graph | None:
        mode = cuda.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        _call(cuda.cuStreamBeginCapture, self._held, mode)
        try:
            work()
        except EdgeError:
            # TensorRT says so where an engine cannot be recorded; the stream has to be freed of it.
            cuda.cuStreamEndCapture(self._held)
            return None
        error, graph = cuda.cuStreamEndCapture(self._held)
        return None if int(error) else _Graph(graph, self._held)

    def free(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            _call(cuda.cuStreamDestroy, held)


class _Graph:
    def __init__(self, graph: Any, stream: Any) -> None:
        self._stream = stream
        try:
            self._held: Any = _call(cuda.cuGraphInstantiate, graph, 0)
        finally:
            _call(cuda.cuGraphDestroy, graph)

    def launch(self) -> None:
        _call(cuda.cuGraphLaunch, self._held, self._stream)

    def free(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            _call(cuda.cuGraphExecDestroy, held)


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the driver; return its one value, if it gives one.

    Raises:
        CudaError: it says that it failed.
    """
    error, *values = function(*arguments)
    if int(error):
        _, name = cuda.cuGetErrorName(error)
        raise CudaError(f"{function.__name__}: {bytes(name or b'unknown error').decode()}")
    return values[0] if values else None
