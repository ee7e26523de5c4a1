"""Runtime, engine, execution context, inspector: with the life times that C++ wants of them."""

from __future__ import annotations

import hashlib
import json
import weakref
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from standin import SegmentationFault, violate
from standin.gpu import GPU
from standin.onnx_file import read
from standin.release import VERSION, as_released, later
from standin.trt_builder import MAGIC, IHostMemory
from standin.trt_network import DTYPES, ENUMS, need_logger, same_type, say

__all__ = ["EngineInspector", "ICudaEngine", "IExecutionContext", "Runtime"]

_DIGEST = 32


@dataclass(eq=False)
class _Core:
    """What lives in C++: the network, and whether its parts were freed."""

    session: Any
    tensors: tuple[tuple[str, bool, str, tuple[int, ...]], ...]
    header: dict[str, Any]
    plan: bytes
    engine_freed: bool = False
    contexts: set[int] = field(default_factory=set)


@as_released
class Runtime:
    def __init__(self, logger: Any) -> None:
        need_logger(logger)
        self._logger = logger
        self._engines: weakref.WeakSet[Any] = weakref.WeakSet()

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
        engine = ICudaEngine(_core(content, header, plan), self._logger)
        self._engines.add(engine)
        return engine

    def _refuse(self, text: str) -> None:
        say(self._logger, "ERROR", f"IRuntime::deserializeCudaEngine: {text}")

    def __del__(self) -> None:
        if any(not engine._core.engine_freed for engine in getattr(self, "_engines", ())):
            violate("a runtime was freed before its engine", raising=False)


def _core(content: bytes, header: dict[str, Any], plan: bytes) -> _Core:
    import onnxruntime

    file = read(content)
    assert not isinstance(file, list)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return _Core(session, file.tensors, header, plan)


@as_released
class ICudaEngine:
    def __init__(self, core: _Core, logger: Any) -> None:
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
        return 1 << 20

    @property
    def device_memory_size_v2(self) -> int:
        return 1 << 20

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
        return IExecutionContext(self._core, self._logger)

    def create_engine_inspector(self) -> Any:
        return EngineInspector(self._core)


@as_released
class EngineInspector:
    def __init__(self, core: _Core) -> None:
        self._core = core

    def get_engine_information(self, format: Any) -> str:
        same_type(format, "LayerInformationFormat", "get_engine_information")
        names: list[Any] = [tensor[0] for tensor in self._core.tensors]
        table = {"Layers": self._core.header["layers"], "Bindings": names}
        if later(11):
            table["I/O Tensors"] = [{"Name": name} for name in table.pop("Bindings")]
        return json.dumps(table)


@as_released
class IExecutionContext:
    def __init__(self, core: _Core, logger: Any) -> None:
        self._core, self._logger, self._addresses = core, logger, dict[str, int]()
        self._ran = False
        core.contexts.add(id(self))

    def __del__(self) -> None:
        self._core.contexts.discard(id(self))

    def set_tensor_address(self, name: str, memory: int) -> bool:
        if name not in [tensor[0] for tensor in self._core.tensors]:
            say(self._logger, "ERROR", f"setTensorAddress given invalid tensor name: {name}")
            return False
        self._addresses[name] = memory
        return True

    def get_tensor_address(self, name: str) -> int:
        return self._addresses.get(name, 0)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return next(tensor[3] for tensor in self._core.tensors if tensor[0] == name)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        return tuple(shape) == self.get_tensor_shape(name)

    def execute_async_v3(self, stream_handle: int) -> bool:
        missing = [t[0] for t in self._core.tensors if not self._addresses.get(t[0])]
        if missing:
            violate(f"execute_async_v3: the address of {missing[0]} is not set")
        return self._enqueue(dict(self._addresses), stream_handle, "execute_async_v3")

    def execute_async_v2(
        self, bindings: list[int], stream_handle: int, input_consumed: Any = None
    ) -> bool:
        names = [tensor[0] for tensor in self._core.tensors]
        if len(bindings) != len(names) or not all(bindings):
            violate(f"execute_async_v2: {len(names)} addresses are wanted, got {list(bindings)}")
        table = dict(zip(names, map(int, bindings), strict=True))
        return self._enqueue(table, stream_handle, "execute_async_v2")

    def _enqueue(self, addresses: dict[str, int], handle: int, what: str) -> bool:
        if self._core.engine_freed:
            violate(f"{what}: the engine was freed")
        stream = GPU.stream(handle, what)
        if stream.recording is not None and not self._ran:
            violate(f"{what}: recorded before the first run, in which TensorRT allocates")
        self._ran = True
        for tensor in self._core.tensors:
            GPU.view(addresses[tensor[0]], _size(tensor), f"{what}: {tensor[0]}")
        core, own, alive = self._core, id(self), self._core.contexts

        def work() -> None:
            if own not in alive:
                violate(f"{what}: the context was freed while its work waited")
            _compute(core, addresses, what)

        GPU.queue(handle, work, what)
        return True


def _size(tensor: tuple[str, bool, str, tuple[int, ...]]) -> int:
    return int(np.prod(tensor[3])) * np.dtype(tensor[2]).itemsize


def _compute(core: _Core, addresses: dict[str, int], what: str) -> None:
    feed, wanted = {}, []
    for tensor in core.tensors:
        name, is_input, dtype, shape = tensor
        if is_input:
            content = GPU.view(addresses[name], _size(tensor), what).tobytes()
            feed[name] = np.frombuffer(content, dtype).reshape(shape)
        else:
            wanted.append(tensor)
    results = core.session.run([tensor[0] for tensor in wanted], feed)
    for tensor, result in zip(wanted, results, strict=True):
        target = GPU.view(addresses[tensor[0]], _size(tensor), what)
        target[:] = np.frombuffer(np.ascontiguousarray(result).tobytes(), np.uint8)
