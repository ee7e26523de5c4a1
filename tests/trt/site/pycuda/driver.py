"""What edge.engines.cuda_pycuda uses of pycuda.driver, with its rules of contexts and threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from standin import destructor, setting, violate
from standin.gpu import GPU, CudaFault


class Error(Exception):
    pass


class LogicError(Error):
    pass


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except CudaFault as fault:
        raise LogicError(f"{function.__name__} failed: {fault}") from fault


def init() -> None:
    _call(GPU.init)


def get_driver_version() -> int:
    major, minor = setting("CUDA_VERSION", "12.6").split(".")
    return int(major) * 1000 + int(minor) * 10


def mem_get_info() -> tuple[int, int]:
    GPU.need_context("mem_get_info")
    return int(setting("MEMORY_MIB", "4096")) << 20, 8192 << 20


class Context:
    def __init__(self) -> None:
        _call(GPU.retain)
        self._thread, self._held = threading.get_ident(), True

    def push(self) -> None:
        if not self._held:
            raise LogicError("context was detached")
        _call(GPU.push)

    @staticmethod
    def pop() -> None:
        _call(GPU.pop)

    def detach(self) -> None:
        if not self._held:
            raise LogicError("context was detached")
        self._held = False
        if GPU.stack:
            GPU.pop()
        elif threading.get_ident() != self._thread:
            violate("PyCUDA never releases a context in a foreign thread where it is not current")
        _call(GPU.release)

    def __del__(self) -> None:
        if self._held:
            violate("a PyCUDA context was never detached", raising=False)


class Device:
    @staticmethod
    def count() -> int:
        return int(bool(GPU.name))

    def __init__(self, number: int) -> None:
        if not GPU.initialised or number != 0:
            raise LogicError("cuDeviceGet failed: invalid device ordinal")

    def name(self) -> str:
        return GPU.name

    def compute_capability(self) -> tuple[int, int]:
        return GPU.compute

    def retain_primary_context(self) -> Context:
        return Context()


class DeviceAllocation:
    def __init__(self, size: int) -> None:
        self._address: int | None = _call(GPU.allocate, size)

    def __int__(self) -> int:
        assert self._address is not None
        return self._address

    def free(self) -> None:
        address, self._address = self._address, None
        assert address is not None, "freed twice"
        _call(GPU.free, address)

    def __del__(self) -> None:
        if getattr(self, "_address", None) is not None:
            with destructor():
                self.free()


def mem_alloc(size: int) -> DeviceAllocation:
    return DeviceAllocation(size)


class _Locked:
    """Page-locked memory that is given back with the last array on it."""

    def __init__(self, size: int) -> None:
        self.address = _call(GPU.host_allocate, size)
        self.size = size

    @property
    def __array_interface__(self) -> dict[str, Any]:
        data = (self.address, False)
        return {"version": 3, "shape": (self.size,), "typestr": "|u1", "data": data}

    def __del__(self) -> None:
        GPU.host_free(self.address)


def pagelocked_empty(
    shape: tuple[int, ...], dtype: Any, order: str = "C", mem_flags: int = 0
) -> np.ndarray[Any, Any]:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.asarray(_Locked(size)).view(dtype).reshape(shape)


class Stream:
    def __init__(self, flags: int = 0) -> None:
        self.handle: int = _call(GPU.stream_create)

    def synchronize(self) -> None:
        _call(GPU.synchronize, self.handle)

    def __del__(self) -> None:
        with destructor():
            _call(GPU.stream_destroy, self.handle)


def memcpy_htod_async(dest: Any, src: np.ndarray[Any, Any], stream: Stream | None = None) -> None:
    assert stream is not None and src.flags.c_contiguous
    _call(GPU.copy_in, stream.handle, int(dest), src.ctypes.data, src.nbytes)


def memcpy_dtoh_async(dest: np.ndarray[Any, Any], src: Any, stream: Stream | None = None) -> None:
    assert stream is not None and dest.flags.c_contiguous and dest.flags.writeable
    _call(GPU.copy_out, stream.handle, dest.ctypes.data, int(src), dest.nbytes)
