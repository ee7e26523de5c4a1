"""What edge.engines.cuda_python uses of CUDA's driver: every call answers with a code first."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from standin import setting, violate
from standin.gpu import GPU, CudaFault, Recording


class CUresult(enum.IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_NOT_INITIALIZED = 3
    CUDA_ERROR_NO_DEVICE = 100
    CUDA_ERROR_INVALID_CONTEXT = 201
    CUDA_ERROR_ILLEGAL_STATE = 401


class CUdevice_attribute(enum.IntEnum):
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76


class CUstream_flags(enum.IntEnum):
    CU_STREAM_DEFAULT = 0
    CU_STREAM_NON_BLOCKING = 1


class CUstreamCaptureMode(enum.IntEnum):
    CU_STREAM_CAPTURE_MODE_GLOBAL = 0
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1


def _answer(function: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
    try:
        value = function(*arguments)
    except CudaFault as fault:
        return CUresult[str(fault)], None
    return (CUresult.CUDA_SUCCESS, value) if value is not None else (CUresult.CUDA_SUCCESS,)


def cuGetErrorName(error: CUresult) -> tuple[Any, ...]:
    return CUresult.CUDA_SUCCESS, error.name.encode()


def cuInit(flags: int) -> tuple[Any, ...]:
    return _answer(GPU.init)


def cuDeviceGetCount() -> tuple[Any, ...]:
    return CUresult.CUDA_SUCCESS, int(bool(GPU.name))


def cuDeviceGet(number: int) -> tuple[Any, ...]:
    return CUresult.CUDA_SUCCESS, number


def cuDeviceGetName(size: int, device: int) -> tuple[Any, ...]:
    return CUresult.CUDA_SUCCESS, GPU.name.encode().ljust(size, b"\0")


def cuDeviceGetAttribute(attribute: CUdevice_attribute, device: int) -> tuple[Any, ...]:
    return CUresult.CUDA_SUCCESS, GPU.compute[attribute - 75]


def cuDriverGetVersion() -> tuple[Any, ...]:
    major, minor = setting("CUDA_VERSION", "12.6").split(".")
    return CUresult.CUDA_SUCCESS, int(major) * 1000 + int(minor) * 10


def cuMemGetInfo() -> tuple[Any, ...]:
    GPU.need_context("cuMemGetInfo")
    return CUresult.CUDA_SUCCESS, int(setting("MEMORY_MIB", "4096")) << 20, 8192 << 20


def cuDevicePrimaryCtxRetain(device: int) -> tuple[Any, ...]:
    code, *_ = _answer(GPU.retain)
    return code, "primary"


def cuDevicePrimaryCtxRelease(device: int) -> tuple[Any, ...]:
    return _answer(GPU.release)


def cuCtxPushCurrent(context: Any) -> tuple[Any, ...]:
    return _answer(GPU.push)


def cuCtxPopCurrent() -> tuple[Any, ...]:
    return _answer(GPU.pop)


def cuMemAlloc(size: int) -> tuple[Any, ...]:
    return _answer(GPU.allocate, size)


def cuMemFree(address: int) -> tuple[Any, ...]:
    return _answer(GPU.free, int(address))


def cuMemHostAlloc(size: int, flags: int) -> tuple[Any, ...]:
    return _answer(GPU.host_allocate, size)


def cuMemFreeHost(address: int) -> tuple[Any, ...]:
    if not GPU.stack:
        return (CUresult.CUDA_ERROR_INVALID_CONTEXT,)
    return _answer(GPU.host_free, int(address))


def cuStreamCreate(flags: int) -> tuple[Any, ...]:
    return _answer(GPU.stream_create)


def cuStreamDestroy(stream: int) -> tuple[Any, ...]:
    return _answer(GPU.stream_destroy, stream)


def cuStreamSynchronize(stream: int) -> tuple[Any, ...]:
    return _answer(GPU.synchronize, stream)


def cuMemcpyHtoDAsync(target: int, source: int, size: int, stream: int) -> tuple[Any, ...]:
    return _answer(GPU.copy_in, stream, int(target), int(source), size)


def cuMemcpyDtoHAsync(target: int, source: int, size: int, stream: int) -> tuple[Any, ...]:
    return _answer(GPU.copy_out, stream, int(target), int(source), size)


def cuStreamBeginCapture(stream: int, mode: CUstreamCaptureMode) -> tuple[Any, ...]:
    return _answer(GPU.begin_recording, stream)


def cuStreamEndCapture(stream: int) -> tuple[Any, ...]:
    return _answer(GPU.end_recording, stream)


def cuGraphInstantiate(graph: Recording, flags: int) -> tuple[Any, ...]:
    if graph.freed:
        violate("a graph was instantiated that was freed")
    return CUresult.CUDA_SUCCESS, Recording(list(graph.works))


def cuGraphDestroy(graph: Recording) -> tuple[Any, ...]:
    graph.freed = True
    return (CUresult.CUDA_SUCCESS,)


def cuGraphLaunch(graph: Recording, stream: int) -> tuple[Any, ...]:
    return _answer(GPU.launch, graph, stream)


def cuGraphExecDestroy(graph: Recording) -> tuple[Any, ...]:
    if graph.freed:
        violate("a graph was freed twice")
    graph.freed = True
    return (CUresult.CUDA_SUCCESS,)
