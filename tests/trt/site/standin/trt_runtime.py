"""Runtime, engine, execution context, inspector: with the life times that C++ wants of them."""

from __future__ import annotations

import hashlib
import json
import weakref
from typing import Any

from standin import SegmentationFault, setting, violate
from standin.gpu import GPU
from standin.onnx_file import read
from standin.release import VERSION, as_released, later
from standin.trt_builder import MAGIC
from standin.trt_config import IHostMemory, checked_core
from standin.trt_context import SCRATCH, Core, IExecutionContext
from standin.trt_network import DTYPES, ENUMS, need_logger, same_type, say

__all__ = ["EngineInspector", "ICudaEngine", "Runtime"]

_DIGEST = 32


@as_released
class Runtime:
    def __init__(self, logger: Any) -> None:
        need_logger(logger)
        if setting("RUNTIME") == "none":
            say(logger, "ERROR", "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self._logger = logger
        self._engines: weakref.WeakSet[Any] = weakref.WeakSet()
        self._core = -1

    @property
    def DLA_core(self) -> int:
        return self._core

    @DLA_core.setter
    def DLA_core(self, value: int) -> None:
        self._core = checked_core(value, "Runtime.DLA_core")

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
        if not GPU.name:
            raise SegmentationFault("deserialize_cuda_engine without a device")
        plan = bytes(serialized_engine)
        if not plan.startswith(MAGIC):
            return self._refuse(
                "Error Code 1: Serialization (Serialization assertion magicTagRead == kMAGIC_TAG "
                "failed.Magic tag does not match)"
            )
        digest, body = plan[4 : 4 + _DIGEST], plan[4 + _DIGEST :]
        if hashlib.sha256(body).digest() != digest:
            # The real one runs what is in there.
            raise SegmentationFault("deserialize_cuda_engine of a damaged engine")
        size = int.from_bytes(body[:4], "little")
        header, content = json.loads(body[4 : 4 + size]), body[4 + size :]
        if header["version"] != VERSION:
            return self._refuse(
                "Error Code 1: Serialization (Serialization assertion stdVersionRead == "
                "kSERIALIZATION_VERSION failed.Version tag does not match.)"
            )
        if tuple(header["compute"]) != GPU.compute:
            return self._refuse(
                "Error Code 6: The engine plan file is generated on an incompatible device, "
                "expecting compute {}.{} got compute {}.{}, please rebuild.".format(
                    *GPU.compute, *header["compute"]
                )
            )
        if header["dla"] != self._core:
            # It would wake on another core, or on none.
            violate(f"an engine of DLA core {header['dla']}, and the runtime's is {self._core}")
        engine = ICudaEngine(_core(content, header, plan), self._logger)
        self._engines.add(engine)
        return engine

    def _refuse(self, text: str) -> None:
        say(self._logger, "ERROR", f"IRuntime::deserializeCudaEngine: {text}")

    def __del__(self) -> None:
        if any(not engine._core.engine_freed for engine in getattr(self, "_engines", ())):
            violate("a runtime was freed before its engine", raising=False)


def _core(content: bytes, header: dict[str, Any], plan: bytes) -> Core:
    import onnxruntime

    file = read(content)
    assert not isinstance(file, list)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return Core(session, file.tensors, header, plan)


@as_released
class ICudaEngine:
    def __init__(self, core: Core, logger: Any) -> None:
        self._core, self._logger = core, logger

    def __del__(self) -> None:
        self._core.engine_freed = True
        if self._core.contexts:
            violate("an engine was freed before its execution context", raising=False)

    def _tensor(self, name: str) -> tuple[str, bool, str, tuple[int, ...]]:
        for tensor in self._core.tensors:
            if tensor[0] == name:
                return tensor
        violate(f"the engine has no tensor {name!r}")
        raise AssertionError("not reached")

    @property
    def num_io_tensors(self) -> int:
        return len(self._core.tensors)

    @property
    def num_layers(self) -> int:
        return len(self._core.header["layers"])

    @property
    def num_optimization_profiles(self) -> int:
        return 1

    @property
    def device_memory_size(self) -> int:
        return SCRATCH

    @property
    def device_memory_size_v2(self) -> int:
        return SCRATCH

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
        _, is_input, _, shape = self._tensor(name)
        if not is_input or profile_index != 0:
            violate(f"profile {profile_index} has no shape of {name}")
        found = self._core.header["profile"].get(name, [shape] * 3)
        return [tuple(sizes) for sizes in found]

    def get_profile_shape(self, profile_index: int, binding: int) -> list[tuple[int, ...]]:
        return self.get_tensor_profile_shape(self._core.tensors[binding][0], profile_index)

    @property
    def num_bindings(self) -> int:
        return len(self._core.tensors)

    def get_tensor_name(self, index: int) -> str:
        return self._core.tensors[index][0]

    def get_tensor_mode(self, name: str) -> Any:
        return (
            ENUMS["TensorIOMode"].INPUT if self._tensor(name)[1] else ENUMS["TensorIOMode"].OUTPUT
        )

    def get_tensor_dtype(self, name: str) -> Any:
        return getattr(ENUMS["DataType"], DTYPES[self._tensor(name)[2]])

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._tensor(name)[3]

    def get_binding_name(self, index: int) -> str:
        return self._core.tensors[index][0]

    def get_binding_index(self, name: str) -> int:
        return [tensor[0] for tensor in self._core.tensors].index(self._tensor(name)[0])

    def binding_is_input(self, index: int) -> bool:
        return self._core.tensors[index][1]

    def get_binding_dtype(self, index: int) -> Any:
        return self.get_tensor_dtype(self._core.tensors[index][0])

    def get_binding_shape(self, index: int) -> tuple[int, ...]:
        return self._core.tensors[index][3]

    def serialize(self) -> IHostMemory:
        return IHostMemory(self._core.plan)

    def create_execution_context(self, strategy: Any = None) -> Any:
        if strategy is not None:
            same_type(strategy, "ExecutionContextAllocationStrategy", "create_execution_context")
        lent = strategy is not None and strategy.name == "USER_MANAGED"
        return IExecutionContext(self._core, self._logger, lent)

    def create_engine_inspector(self) -> Any:
        return EngineInspector(self._core)


@as_released
class EngineInspector:
    def __init__(self, core: Core) -> None:
        self._core = core

    def get_engine_information(self, format: Any) -> str:
        same_type(format, "LayerInformationFormat", "get_engine_information")
        names: list[Any] = [tensor[0] for tensor in self._core.tensors]
        table = {"Layers": self._core.header["layers"], "Bindings": names}
        if later(11):
            table["I/O Tensors"] = [{"Name": name} for name in table.pop("Bindings")]
        return json.dumps(table)
