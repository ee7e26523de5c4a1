"""Builder, its configuration, the timing cache; what they build is the ONNX file with a header."""

from __future__ import annotations

import hashlib
import json
import math
import os
import signal
import time
from typing import Any

from standin import setting, violate
from standin.gpu import GPU
from standin.onnx_file import OnnxFile, resized, shapes_of
from standin.release import VERSION, as_released, later
from standin.trt_config import IBuilderConfig, IHostMemory, IOptimizationProfile, dla_cores
from standin.trt_network import ENUMS, INetworkDefinition, need_logger, same_type, say

__all__ = ["MAGIC", "Builder"]

MAGIC = b"ftrt"
#: As ONNX nodes are fused: each of these with what follows it.
_FUSED = ("Relu", "Clip", "Add")


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
        return dla_cores()

    def create_network(self, flags: int = 0) -> Any:
        return INetworkDefinition(flags)

    def create_optimization_profile(self) -> Any:
        return IOptimizationProfile()

    def create_builder_config(self) -> Any:
        return IBuilderConfig(self._logger)

    def build_serialized_network(self, network: Any, config: Any) -> Any:
        same_type(network, "INetworkDefinition", "build_serialized_network")
        same_type(config, "IBuilderConfig", "build_serialized_network")
        if network._file is None:
            violate("build_serialized_network: the network is empty")
        if not network._has_weights:
            violate("build_serialized_network: the parser was freed, and the weights with it")
        _misbehave()
        problem = self._problem(network, config)
        if problem:
            say(self._logger, "ERROR", problem)
            return None
        _progress(config)
        return IHostMemory(_plan(network, config))

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
        if problem := _shape_problem(network, config):
            return problem
        workspace = int(setting("WORKSPACE_MIB", "1")) << 20
        if config.get_memory_pool_limit(ENUMS["MemoryPoolType"].WORKSPACE) < workspace:
            node = network._file.nodes[0].name
            text = f"Could not find any implementation for node {node}."
            return f"Error Code 10: Internal Error ({text})"
        return ""


def _shape_problem(network: Any, config: Any) -> str:
    """Return what is wrong with sizes that are open, and with their profile, in its words."""
    file = network._file
    given = {t[0]: network._shapes()[t[0]] for t in file.tensors if t[1]}
    is_open = {name: shape for name, shape in given.items() if -1 in shape}
    if None in network._shapes().values():
        return "Error Code 4: Internal Error (shape inference failed)"
    if not is_open:
        return ""
    if not config._profiles:
        return (
            "Error Code 4: API Usage Error (Network has dynamic or shape inputs, but no "
            "optimization profile has been defined.)"
        )
    ranges = config._profiles[0]._ranges
    for name, shape in is_open.items():
        if name not in ranges:
            return f"Error Code 4: Internal Error ({name}: dynamic input is missing dimensions)"
        for sizes in ranges[name]:
            if any(wanted not in (-1, size) for wanted, size in zip(shape, sizes, strict=True)):
                return f"Error Code 4: Internal Error ({name}: profile does not match {shape})"
    least, _, most = zip(*(ranges[name] for name in is_open), strict=True)
    if config._device == ENUMS["DeviceType"].DLA and least != most:
        return "Error Code 9: DLA does not support dynamic dimensions"
    greatest = given | {name: ranges[name][2] for name in is_open}
    sizes = shapes_of(file.content, greatest)
    reshaped = ((sizes[n.inputs[0]], sizes[n.outputs[0]]) for n in file.nodes if n.op == "Reshape")
    if None in sizes.values() or any(math.prod(a or ()) != math.prod(b or ()) for a, b in reshaped):
        return "Error Code 4: Internal Error (kMAX dimensions in profile 0: volume mismatch)"
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


def _plan(network: Any, config: Any) -> bytes:
    file: OnnxFile = network._file
    content = resized(file.content, network._sizes) if network._sizes else file.content
    detailed = config._verbosity == ENUMS["ProfilingVerbosity"].DETAILED
    header = {
        "version": VERSION,
        "compute": list(GPU.compute),
        "layers": _layers(file, detailed),
        "dla": config._core,
        "profile": config._profiles[0]._ranges if config._profiles else {},
    }
    packed = json.dumps(header).encode()
    body = len(packed).to_bytes(4, "little") + packed + content
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
