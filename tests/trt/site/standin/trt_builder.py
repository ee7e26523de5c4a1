"""Builder, its configuration, the timing cache; what they build is the ONNX file with a header."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from typing import Any

from standin import setting, violate
from standin.gpu import GPU
from standin.onnx_file import OnnxFile
from standin.release import VERSION, as_released, later
from standin.trt_network import ENUMS, INetworkDefinition, need_logger, same_type, say

__all__ = ["MAGIC", "Builder", "IBuilderConfig", "IHostMemory", "IProgressMonitor", "ITimingCache"]

MAGIC = b"ftrt"
_TIMING = b"timing of "
#: As ONNX nodes are fused: each of these with what follows it.
_FUSED = ("Relu", "Clip", "Add")


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
class IBuilderConfig:
    def __init__(self, logger: Any) -> None:
        self._logger, self._pools, self._flags = logger, dict[int, int](), set[int]()
        self._timing: Any = None
        self._verbosity = ENUMS["ProfilingVerbosity"].LAYER_NAMES_ONLY
        self._device, self._core, self._monitor = ENUMS["DeviceType"].GPU, -1, None

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
        if not 0 <= value < _dla_cores():
            violate(f"DLA_core: there is no core {value}")
        self._core = value

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


@as_released
class Builder:
    def __init__(self, logger: Any) -> None:
        need_logger(logger)
        if not GPU.name:
            text = "createInferBuilder: Error Code 6: API Usage Error (CUDA initialization failure "
            say(logger, "ERROR", text + "with error: 35)")
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self._logger = logger

    @property
    def num_DLA_cores(self) -> int:
        return _dla_cores()

    def create_network(self, flags: int = 0) -> Any:
        return INetworkDefinition(flags)

    def create_builder_config(self) -> Any:
        return IBuilderConfig(self._logger)

    def build_serialized_network(self, network: Any, config: Any) -> Any:
        same_type(network, "INetworkDefinition", "build_serialized_network")
        same_type(config, "IBuilderConfig", "build_serialized_network")
        if network._file is None:
            violate("build_serialized_network: the network is empty")
        _misbehave()
        problem = self._problem(network, config)
        if problem:
            say(self._logger, "ERROR", problem)
            return None
        _progress(config)
        return IHostMemory(_plan(network._file, config))

    def _problem(self, network: Any, config: Any) -> str:
        """Return why TensorRT would not build this, in its words."""
        typed = [name for name in ("FP16", "INT8") if config._has(name)]
        if network._is_strong() and typed:
            text = f"k{typed[0]} must not be set for a strongly typed network."
            return f"Error Code 4: API Usage Error ({text})"
        if not network._is_strong() and network._file.has_pairs and not config._has("INT8"):
            return (
                "Error Code 9: Internal Error (Int8 precision has been set for a layer or layer "
                "output, but int8 is not configured in the builder)"
            )
        if not network._is_strong() and network._file.has_half and not config._has("FP16"):
            return (
                "Error Code 9: Internal Error (Fp16 precision has been set for a layer or layer "
                "output, but fp16 is not configured in the builder)"
            )
        if config._device == ENUMS["DeviceType"].DLA and not config._has("GPU_FALLBACK"):
            return "Error Code 9: default DLA is enabled but layer is not supported on DLA"
        workspace = int(setting("WORKSPACE_MIB", "1")) << 20
        if config.get_memory_pool_limit(ENUMS["MemoryPoolType"].WORKSPACE) < workspace:
            node = network._file.nodes[0].name
            text = f"Could not find any implementation for node {node}."
            return f"Error Code 10: Internal Error ({text})"
        return ""


def _misbehave() -> None:
    """Do what a builder is said to do; for child processes only."""
    how = setting("BUILD")
    if how in ("crash", "killed"):
        os.kill(os.getpid(), signal.SIGSEGV if how == "crash" else signal.SIGKILL)
    elif how == "hang":
        time.sleep(600)
    elif how == "exit":
        os._exit(0)


def _dla_cores() -> int:
    return int(setting("DLA", "0"))


def _place() -> str:
    return f"{GPU.name} {GPU.compute} TensorRT {VERSION}"


def _progress(config: Any) -> None:
    monitor = config._monitor
    if monitor is None:
        return
    monitor.phase_start("Building Engine", None, 4)
    for step in range(4):
        if setting("BUILD") == "slow" and step == 1:
            # As far as the clock of a monitor tells.
            time.monotonic = lambda now=time.monotonic: now() + 60  # type: ignore[assignment, misc]
        if not monitor.step_complete("Building Engine", step):
            break
    monitor.phase_finish("Building Engine")


def _plan(file: OnnxFile, config: Any) -> bytes:
    detailed = config._verbosity == ENUMS["ProfilingVerbosity"].DETAILED
    header = {
        "version": VERSION,
        "compute": list(GPU.compute),
        "layers": _layers(file, detailed),
        "dla": config._core,
    }
    packed = json.dumps(header).encode()
    body = len(packed).to_bytes(4, "little") + packed + file.content
    return MAGIC + hashlib.sha256(body).digest() + body


def _layers(file: OnnxFile, detailed: bool) -> list[Any]:
    """Fuse what TensorRT fuses, more or less, and tell of it as its inspector does."""
    found: list[list[Any]] = []
    dequantised = {o for n in file.nodes if n.op == "DequantizeLinear" for o in n.outputs}
    for node in file.nodes:
        if node.op == "DequantizeLinear":
            continue
        last = found[-1][-1] if found else None
        if last is not None and node.op in _FUSED and last.outputs[0] in node.inputs:
            found[-1].append(node)
        else:
            found.append([node])
    if not detailed:
        return [" + ".join(n.name for n in group) for group in found]
    return [_information(group, dequantised) for group in found]


def _information(group: list[Any], dequantised: set[str]) -> dict[str, Any]:
    whole = {"int8": "Int8", "float16": "Half"}
    kind = whole.get(group[0].dtype, "Float")
    if dequantised.intersection(group[0].inputs):
        kind = "Int8"
    information: dict[str, Any] = {
        "Name": " + ".join(node.name for node in group),
        "LayerType": "CaskConvolution" if group[0].op == "Conv" else "NoOp",
        "Inputs": [_tensor(group[0].inputs[0], kind)],
        "Outputs": [_tensor(group[-1].outputs[0], kind)],
        "TacticName": "sm80_xmma_fprop_implicit_gemm_interleaved_i8i8",
    }
    if later(8, 6):
        information["Metadata"] = "\x1e".join(f"[ONNX Layer: {node.name}]" for node in group)
    return information


def _tensor(name: str, kind: str) -> dict[str, Any]:
    """Tell of a tensor; from 11 on its type has a field of its own."""
    if later(11):
        return {"Name": name, "Dimensions": [1], "DataType": kind, "Format": "kLINEAR"}
    linear = f"Row major linear {'FP32' if kind == 'Float' else kind} format"
    return {"Name": name, "Dimensions": [1], "Format/Datatype": linear}
