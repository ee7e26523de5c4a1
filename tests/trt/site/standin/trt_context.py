"""Execution contexts: shapes, addresses, memory, and what is queued from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from standin import violate
from standin.gpu import GPU
from standin.release import as_released, later
from standin.trt_network import say

__all__ = ["SCRATCH", "Core", "IExecutionContext"]

#: Memory that a context works in.
SCRATCH = 1 << 16


@dataclass(eq=False)
class Core:
    """What lives in C++: the network, and whether its parts were freed."""

    session: Any
    tensors: tuple[tuple[str, bool, str, tuple[int, ...]], ...]
    header: dict[str, Any]
    plan: bytes
    engine_freed: bool = False
    contexts: set[int] = field(default_factory=set)

    @property
    def is_open(self) -> list[str]:
        """Inputs with a size that is open."""
        return [name for name, is_input, _, shape in self.tensors if is_input and -1 in shape]

    def sizes(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor, for shapes of the open inputs."""
        count = next(iter(shapes.values()))[0] if shapes else 1
        return {
            name: shapes.get(name, tuple(count if size == -1 else size for size in shape))
            for name, _, _, shape in self.tensors
        }


@as_released
class IExecutionContext:
    def __init__(self, core: Core, logger: Any, lent: bool) -> None:
        self._core, self._logger, self._addresses = core, logger, dict[str, int]()
        self._ran = False
        self._lent, self._memory = lent, (0, 0)
        self._shapes: dict[str, tuple[int, ...]] = {}
        # Before release 10 a profile belongs to one context, and there is one profile here.
        self._has_profile = later(10) or not core.contexts
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
        if set(self._core.is_open) - self._shapes.keys():
            return next(tensor[3] for tensor in self._core.tensors if tensor[0] == name)
        return self._core.sizes(self._shapes)[name]

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        known = {tensor[0]: tensor[3] for tensor in self._core.tensors if tensor[1]}
        if name not in known:
            return self._complain(f"given invalid tensor name: {name}")
        if not self._has_profile:
            violate("set_binding_shape: the profile is another context's, and there is no second")
        least, _, most = self._core.header["profile"].get(name, [known[name]] * 3)
        wanted = tuple(map(int, shape))
        if len(wanted) != len(least) or any(
            not low <= size <= high for low, size, high in zip(least, wanted, most, strict=True)
        ):
            return self._complain(f"{name}: {wanted} is not in profile 0: {least} to {most}")
        if name in self._core.is_open and self._shapes.get(name) != wanted:
            self._shapes[name] = wanted
            self._ran = False
        return True

    def set_binding_shape(self, binding: int, shape: tuple[int, ...]) -> bool:
        return self.set_input_shape(self._core.tensors[binding][0], shape)

    def _complain(self, text: str) -> bool:
        say(self._logger, "ERROR", f"IExecutionContext::setInputShape: Error Code 3: {text}")
        return False

    def set_device_memory(self, memory: int, size: int) -> None:
        if not self._lent:
            violate("set_device_memory: the context has memory of its own")
        if size < SCRATCH:
            violate(f"set_device_memory: {size} bytes, and {SCRATCH} are wanted")
        GPU.view(memory, size, "set_device_memory")
        self._memory = memory, size

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
        unset = [name for name in self._core.is_open if name not in self._shapes]
        if unset:
            violate(f"{what}: the shape of {unset[0]} is not set")
        if len({shape[0] for shape in self._shapes.values()}) > 1:
            violate(f"{what}: the inputs are of several numbers of faces: {self._shapes}")
        if self._lent and not self._memory[0]:
            violate(f"{what}: no memory was lent")
        stream = GPU.stream(handle, what)
        if stream.recording is not None and not self._ran:
            violate(f"{what}: recorded before the first run of its shapes")
        self._ran = True
        shapes, recorded = dict(self._shapes), stream.recording is not None
        sizes = self._core.sizes(shapes)
        for tensor in self._core.tensors:
            GPU.view(addresses[tensor[0]], _size(tensor, sizes), f"{what}: {tensor[0]}")
        core, own, alive, memory = self._core, id(self), self._core.contexts, self._memory
        now = self._shapes

        def work() -> None:
            if own not in alive:
                violate(f"{what}: the context was freed while its work waited")
            if recorded and now != shapes:
                violate(f"{what}: the graph was recorded for {shapes}, and these are now {now}")
            if memory[0]:
                GPU.view(*memory, f"{what}: the memory that was lent")[:] = 0x5A
            _compute(core, addresses, sizes, what)

        GPU.queue(handle, work, what)
        return True


_Tensor = tuple[str, bool, str, tuple[int, ...]]
_Sizes = dict[str, tuple[int, ...]]


def _size(tensor: _Tensor, sizes: _Sizes) -> int:
    return int(np.prod(sizes[tensor[0]])) * np.dtype(tensor[2]).itemsize


def _compute(core: Core, addresses: dict[str, int], sizes: _Sizes, what: str) -> None:
    feed, wanted = {}, []
    for tensor in core.tensors:
        name, is_input, dtype, _ = tensor
        if is_input:
            content = GPU.view(addresses[name], _size(tensor, sizes), what).tobytes()
            feed[name] = np.frombuffer(content, dtype).reshape(sizes[name])
        else:
            wanted.append(tensor)
    results = core.session.run([tensor[0] for tensor in wanted], feed)
    for tensor, result in zip(wanted, results, strict=True):
        target = GPU.view(addresses[tensor[0]], _size(tensor, sizes), what)
        target[:] = np.frombuffer(np.ascontiguousarray(result).tobytes(), np.uint8)
