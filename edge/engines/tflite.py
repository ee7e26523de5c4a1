"""TensorFlow Lite files under LiteRT, or under tflite-runtime where that is all there is."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge.contract import Contract, TensorSpec
from edge.engines.base import allocate, refuse
from edge.errors import UnavailableError
from edge.owned import Owned

__all__ = ["TFLiteEngine"]

_SIGNATURE = "serving_default"


class TFLiteEngine(Owned):
    """One interpreter on the CPU, XNNPACK on.

    Args:
        content: the file's bytes.
        contract: what its tensors mean; the file is held against it.
        threads: of the interpreter.
        where: the file's name, for messages.

    Raises:
        UnavailableError: neither runtime is installed.
        BundleError: the bytes are no TFLite network, or not the contract's.
    """

    def __init__(self, content: bytes, contract: Contract, *, threads: int, where: str) -> None:
        self.name = "tflite"
        self.batch = 1
        self.inputs = allocate(contract.inputs)
        self.outputs = allocate(contract.outputs)
        self._where = where
        self._interpreter, found_inputs, found_outputs = _open(content, threads, where)
        self._input_indices = _match(contract.inputs, found_inputs, where)
        self._output_indices = _match(contract.outputs, found_outputs, where)

    def run(self, count: int = 1) -> None:
        """Compute ``outputs`` from ``inputs``.

        Raises:
            BundleError: the interpreter refuses to run the network.
        """
        interpreter = self._interpreter
        for index, array in zip(self._input_indices, self.inputs, strict=True):
            interpreter.set_tensor(index, array)
        try:
            interpreter.invoke()
        except RuntimeError as error:
            raise refuse(self._where, f"the network does not run: {error}") from error
        for index, array in zip(self._output_indices, self.outputs, strict=True):
            np.copyto(array, interpreter.get_tensor(index))

    def close(self) -> None:
        """Free the interpreter; a second call does nothing."""
        self._interpreter = None


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError as error:
            raise UnavailableError(
                "the engine tflite needs LiteRT, which is not installed",
                hint="pip install ai-edge-litert",
                code="engine.library",
            ) from error
    return Interpreter


def _open(content: bytes, threads: int, where: str) -> tuple[Any, Any, Any]:
    """Return the interpreter and the details of its inputs and outputs by signature name."""
    # The flatbuffer's own mark; without it the runtime would only say that a pointer is null.
    if content[4:8] != b"TFL3":
        raise refuse(where, "is no TFLite network")
    interpreter_class = _interpreter_class()
    try:
        interpreter = interpreter_class(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
        if _SIGNATURE not in interpreter.get_signature_list():
            raise refuse(where, f"has no signature {_SIGNATURE!r}")
        # The runner only tells which tensor has which name; it never runs anything here.
        runner = interpreter.get_signature_runner(_SIGNATURE)
        return interpreter, runner.get_input_details(), runner.get_output_details()
    except (ValueError, RuntimeError) as error:
        raise refuse(where, f"the runtime refuses this TFLite network: {error}") from error


def _match(specs: tuple[TensorSpec, ...], details: Any, where: str) -> tuple[int, ...]:
    """Hold every tensor against the contract and return the interpreter's indices."""
    names = sorted(spec.name for spec in specs)
    if names != sorted(details):
        raise refuse(where, f"has tensors {sorted(details)} and its contract names {names}")
    return tuple(_match_one(spec, details[spec.name], where) for spec in specs)


def _match_one(spec: TensorSpec, detail: Any, where: str) -> int:
    found: tuple[object, ...] = tuple(int(n) for n in detail["shape"])
    if found != spec.shape:
        raise refuse(where, f"{spec.name} has shape {found}, in its contract {spec.shape}")
    dtype = np.dtype(detail["dtype"]).name
    if dtype != spec.dtype:
        raise refuse(where, f"{spec.name} is {dtype}, in its contract {spec.dtype}")
    if spec.dtype != "float32":
        scale, zero_point = detail["quantization"]
        if zero_point != spec.zero_point or abs(scale - spec.scale) > 1e-6 * spec.scale:
            raise refuse(
                where,
                f"{spec.name} has scale {scale:g} and zero_point {zero_point}, in its contract "
                f"{spec.scale:g} and {spec.zero_point}",
            )
    return int(detail["index"])
