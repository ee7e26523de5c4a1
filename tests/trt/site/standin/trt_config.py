"""What a builder is told: flags, memory, profiles, the timing cache."""

from __future__ import annotations

from typing import Any

from standin import setting, violate
from standin.gpu import GPU
from standin.release import VERSION, as_released
from standin.trt_network import ENUMS, same_type, say

__all__ = [
    "IBuilderConfig",
    "IHostMemory",
    "IOptimizationProfile",
    "IProgressMonitor",
    "ITimingCache",
    "checked_core",
    "dla_cores",
]

_TIMING = b"timing of "


class IHostMemory(bytes):
    """Bytes that TensorRT made."""

    @property
    def nbytes(self) -> int:
        return len(self)

    @property
    def dtype(self) -> Any:
        return ENUMS["DataType"].INT8


@as_released
class ITimingCache:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def serialize(self) -> IHostMemory:
        return IHostMemory(self._content or _TIMING + _place().encode())


class IProgressMonitor:
    """A base to derive from, from release 10 on."""

    def __init__(self) -> None:
        self._base_made = True


@as_released
class IOptimizationProfile:
    def __init__(self) -> None:
        self._ranges: dict[str, list[tuple[int, ...]]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        shapes = [tuple(map(int, shape)) for shape in (min, opt, max)]
        if len({len(shape) for shape in shapes}) != 1 or any(
            not 0 < low <= best <= high for low, best, high in zip(*shapes, strict=True)
        ):
            raise ValueError(f"Shape provided for min, opt, max is inconsistent for {input}")
        self._ranges[input] = shapes

    def get_shape(self, input: str) -> list[tuple[int, ...]]:
        return self._ranges.get(input, [])


@as_released
class IBuilderConfig:
    def __init__(self, logger: Any) -> None:
        self._logger, self._pools, self._flags = logger, dict[int, int](), set[int]()
        self._timing: Any = None
        self._verbosity = ENUMS["ProfilingVerbosity"].LAYER_NAMES_ONLY
        self._device, self._core, self._monitor = ENUMS["DeviceType"].GPU, -1, None
        self._profiles: list[Any] = []

    def add_optimization_profile(self, profile: Any) -> int:
        same_type(profile, "IOptimizationProfile", "add_optimization_profile")
        self._profiles.append(profile)
        return len(self._profiles) - 1

    @property
    def num_optimization_profiles(self) -> int:
        return len(self._profiles)

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        same_type(pool, "MemoryPoolType", "set_memory_pool_limit")
        if pool_size <= 0:
            violate("set_memory_pool_limit: a pool of nothing")
        self._pools[int(pool)] = pool_size

    def get_memory_pool_limit(self, pool: Any) -> int:
        return self._pools.get(int(pool), 1 << 40)

    def set_flag(self, flag: Any) -> None:
        same_type(flag, "BuilderFlag", "set_flag")
        self._flags.add(int(flag))

    def clear_flag(self, flag: Any) -> None:
        self._flags.discard(int(flag))

    def get_flag(self, flag: Any) -> bool:
        return int(flag) in self._flags

    def _has(self, name: str) -> bool:
        flag = getattr(ENUMS["BuilderFlag"], name, None)
        return flag is not None and int(flag) in self._flags

    @property
    def profiling_verbosity(self) -> Any:
        return self._verbosity

    @profiling_verbosity.setter
    def profiling_verbosity(self, value: Any) -> None:
        same_type(value, "ProfilingVerbosity", "profiling_verbosity")
        self._verbosity = value

    @property
    def default_device_type(self) -> Any:
        return self._device

    @default_device_type.setter
    def default_device_type(self, value: Any) -> None:
        same_type(value, "DeviceType", "default_device_type")
        self._device = value

    @property
    def DLA_core(self) -> int:
        return self._core

    @DLA_core.setter
    def DLA_core(self, value: int) -> None:
        self._core = checked_core(value, "DLA_core")

    def can_run_on_DLA(self, layer: Any) -> bool:
        same_type(layer, "ILayer", "can_run_on_DLA")
        if self._core < 0:
            violate("can_run_on_DLA: no core was chosen")
        return layer.type.name in ("CONVOLUTION", "ACTIVATION", "ELEMENTWISE", "QUANTIZE")

    @property
    def progress_monitor(self) -> Any:
        return self._monitor

    @progress_monitor.setter
    def progress_monitor(self, value: Any) -> None:
        if not getattr(value, "_base_made", False):
            raise TypeError("IProgressMonitor.__init__() must be called when overriding __init__")
        self._monitor = value

    def create_timing_cache(self, serialized_timing_cache: bytes) -> Any:
        content = bytes(serialized_timing_cache)
        if content and not content.startswith(_TIMING):
            say(self._logger, "ERROR", "Internal error: failed to deserialize the timing cache")
            return None
        return ITimingCache(content)

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        same_type(cache, "ITimingCache", "set_timing_cache")
        foreign = cache._content and cache._content != _TIMING + _place().encode()
        if foreign and not ignore_mismatch:
            say(self._logger, "WARNING", "The timing cache will not be used: CUDA device differs")
            return False
        self._timing = cache
        return True

    def get_timing_cache(self) -> Any:
        return self._timing


def dla_cores() -> int:
    return int(setting("DLA", "0"))


def checked_core(value: int, where: str) -> int:
    """Return the number of a DLA core that there is."""
    if not 0 <= value < dla_cores():
        violate(f"{where}: there is no core {value}")
    return value


def _place() -> str:
    return f"{GPU.name} {GPU.compute} TensorRT {VERSION}"
