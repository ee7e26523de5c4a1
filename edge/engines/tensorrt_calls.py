"""What the generations of TensorRT name differently, and the log that all of them want."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

__all__ = ["Calls", "calls_of", "quiet_log"]


class Calls(Protocol):
    """What the generations of TensorRT name differently."""

    def tensors(self, trt: Any) -> dict[str, tuple[bool, tuple[int, ...], str]]:
        """Return of each tensor whether it is an input, its shape, its dtype."""
        ...

    def place(self, name: str, address: int) -> None:
        """Say where a tensor lies."""
        ...

    def enqueue(self, stream: int) -> bool:
        """Queue the network; tell whether TensorRT took it."""
        ...


class _ByName:
    """TensorRT 10 and later: tensors have names."""

    def __init__(self, engine: Any, context: Any) -> None:
        self._engine, self._context = engine, context

    def tensors(self, trt: Any) -> dict[str, tuple[bool, tuple[int, ...], str]]:
        engine, found = self._engine, {}
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            found[name] = (
                engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT,
                tuple(engine.get_tensor_shape(name)),
                np.dtype(trt.nptype(engine.get_tensor_dtype(name))).name,
            )
        return found

    def place(self, name: str, address: int) -> None:
        self._context.set_tensor_address(name, address)

    def enqueue(self, stream: int) -> bool:
        return bool(self._context.execute_async_v3(stream))


class _ByPosition:
    """TensorRT 8: tensors have numbers, and a run takes the list of all addresses."""

    def __init__(self, engine: Any, context: Any) -> None:
        self._engine, self._context = engine, context
        self._addresses = [0] * engine.num_bindings

    def tensors(self, trt: Any) -> dict[str, tuple[bool, tuple[int, ...], str]]:
        engine = self._engine
        return {
            engine.get_binding_name(index): (
                bool(engine.binding_is_input(index)),
                tuple(engine.get_binding_shape(index)),
                np.dtype(trt.nptype(engine.get_binding_dtype(index))).name,
            )
            for index in range(engine.num_bindings)
        }

    def place(self, name: str, address: int) -> None:
        self._addresses[self._engine.get_binding_index(name)] = address

    def enqueue(self, stream: int) -> bool:
        return bool(self._context.execute_async_v2(self._addresses, stream))


def calls_of(engine: Any, context: Any) -> Calls:
    """Return the calls of the generation that an engine is of."""
    by_position = hasattr(engine, "num_bindings")
    return _ByPosition(engine, context) if by_position else _ByName(engine, context)


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
