"""What the generations of TensorRT name differently, and the log that all of them want."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Calls", "Found", "calls_of", "quiet_log"]

#: TensorRT's names of types, and NumPy's. Rejected: ``tensorrt.nptype``, which before 8.6 names
#: ``numpy.bool`` and so fails for every type under NumPy 1.24 to 1.26, and raises for FP8.
_TYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One tensor of an engine.

    Attributes:
        is_input: else an output.
        shape: with -1 for a leading dimension that is open.
        dtype: NumPy's name.
        most: of an open input, its greatest shape; else empty.
    """

    is_input: bool
    shape: tuple[int, ...]
    dtype: str
    most: tuple[int, ...] = ()


class Calls(Protocol):
    """What the generations of TensorRT name differently.

    Attributes:
        scratch: bytes on the GPU that have to be lent before the first run.
        recordable: whether what was recorded for one number of faces holds after a run with
            another number.
    """

    scratch: int
    recordable: bool

    def tensors(self) -> dict[str, Found]:
        """Return the engine's tensors by name."""
        ...

    def lend(self, address: int) -> None:
        """Say where ``scratch`` bytes are; nobody else uses them until the engine is freed."""
        ...

    def place(self, name: str, address: int) -> None:
        """Say where a tensor lies, for good."""
        ...

    def enqueue(self, count: int, stream: int) -> bool:
        """Queue the network for so many faces; tell whether TensorRT took it."""
        ...


class _ByName:
    """TensorRT 10 and later: tensors have names, contexts may share a profile.

    Each number of faces has a context of its own whose shapes never change, so that the CUDA graph
    that was recorded from it stays valid; they share their memory, since one runs at a time
    (TensorRT, best practices, "CUDA Graphs": "one execution context per captured graph").
    """

    recordable = True

    def __init__(self, trt: Any, engine: Any) -> None:
        self._trt, self._engine = trt, engine
        self._contexts: dict[int, Any] = {}
        self._addresses: dict[str, int] = {}
        self._memory = 0
        self.scratch = int(engine.device_memory_size_v2)

    def tensors(self) -> dict[str, Found]:
        trt, engine, found = self._trt, self._engine, {}
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
            shape = tuple(engine.get_tensor_shape(name))
            is_open = is_input and -1 in shape
            most = tuple(engine.get_tensor_profile_shape(name, 0)[2]) if is_open else ()
            dtype = _name_of(engine.get_tensor_dtype(name))
            found[name] = Found(is_input, shape, dtype, most)
        return found

    def lend(self, address: int) -> None:
        self._memory = address

    def place(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def enqueue(self, count: int, stream: int) -> bool:
        context = self._contexts.get(count) or self._make(count)
        return context is not None and bool(context.execute_async_v3(stream))

    def _make(self, count: int) -> Any:
        """Return a context for so many faces; None if TensorRT makes none."""
        trt = self._trt
        strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = self._engine.create_execution_context(strategy)
        if context is None:
            return None
        if self.scratch:
            context.set_device_memory(self._memory, self.scratch)
        for name, found in self.tensors().items():
            taken = context.set_tensor_address(name, self._addresses[name])
            if found.most:
                taken = taken and context.set_input_shape(name, (count, *found.shape[1:]))
            if not taken:
                return None
        self._contexts[count] = context
        return context


class _ByPosition:
    """TensorRT 8: tensors have numbers, and a run takes the list of all addresses.

    A profile belongs to one context there, whose shapes change with the number of faces.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._context = engine.create_execution_context()
        self._addresses = [0] * engine.num_bindings
        self._open: dict[int, tuple[int, ...]] = {}
        self._count = 0
        # Its one context has memory of its own.
        self.scratch = 0
        for index in range(engine.num_bindings):
            shape = tuple(engine.get_binding_shape(index))
            if engine.binding_is_input(index) and -1 in shape:
                self._open[index] = shape
        self.recordable = not self._open

    def tensors(self) -> dict[str, Found]:
        engine = self._engine
        return {
            engine.get_binding_name(index): Found(
                bool(engine.binding_is_input(index)),
                tuple(engine.get_binding_shape(index)),
                _name_of(engine.get_binding_dtype(index)),
                tuple(engine.get_profile_shape(0, index)[2]) if index in self._open else (),
            )
            for index in range(engine.num_bindings)
        }

    def lend(self, address: int) -> None:
        pass

    def place(self, name: str, address: int) -> None:
        self._addresses[self._engine.get_binding_index(name)] = address

    def enqueue(self, count: int, stream: int) -> bool:
        context = self._context
        if context is None:
            return False
        if count != self._count:
            self._count = 0
            for index, shape in self._open.items():
                if not context.set_binding_shape(index, (count, *shape[1:])):
                    return False
            self._count = count
        return bool(context.execute_async_v2(self._addresses, stream))


def _name_of(dtype: Any) -> str:
    """Return NumPy's name of a type; TensorRT's own where NumPy has none."""
    return _TYPES.get(dtype.name, str(dtype.name))


def calls_of(trt: Any, engine: Any) -> Calls:
    """Return the calls of the generation that an engine is of."""
    by_position = hasattr(engine, "num_bindings")
    return _ByPosition(engine) if by_position else _ByName(trt, engine)


def quiet_log(trt: Any) -> Any:
    """Return a logger that keeps the last error and prints nothing."""

    class Log(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.last = "it gives no reason"

        def log(self, severity: Any, text: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.last = " ".join(str(text).split())[:500]

    return Log()
