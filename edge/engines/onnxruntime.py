"""ONNX files under ONNX Runtime, on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge.contract import Contract, TensorSpec
from edge.engines.base import allocate, refuse
from edge.errors import UnavailableError
from edge.owned import Owned

__all__ = ["OnnxRuntimeEngine"]

_DTYPES = {"tensor(float)": "float32", "tensor(int8)": "int8", "tensor(uint8)": "uint8"}


class OnnxRuntimeEngine(Owned):
    """One session on the CPU.

    An ONNX file does not say the scale of its inputs and outputs; names, shapes and dtypes are
    held against the contract.

    Args:
        content: the file's bytes.
        contract: what its tensors mean.
        threads: of the session.
        where: the file's name, for messages.

    Raises:
        UnavailableError: onnxruntime is not installed.
        BundleError: the bytes are no ONNX network, or not the contract's.
    """

    def __init__(self, content: bytes, contract: Contract, *, threads: int, where: str) -> None:
        self.name = "onnxruntime"
        self.batch = 1
        self.inputs = allocate(contract.inputs)
        self.outputs = allocate(contract.outputs)
        self._session: Any = _open(content, threads, where)
        _match(contract.inputs, self._session.get_inputs(), where)
        _match(contract.outputs, self._session.get_outputs(), where)
        self._names = [spec.name for spec in contract.outputs]
        self._feed = {
            spec.name: array for spec, array in zip(contract.inputs, self.inputs, strict=True)
        }

    def run(self, count: int = 1) -> None:
        """Compute ``outputs`` from ``inputs``."""
        results = self._session.run(self._names, self._feed)
        for array, result in zip(self.outputs, results, strict=True):
            np.copyto(array, result)

    def close(self) -> None:
        """Free the session; a second call does nothing."""
        self._session = None


def _open(content: bytes, threads: int, where: str) -> Any:
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as errors
    except ImportError as error:
        raise UnavailableError(
            "the engine onnxruntime needs ONNX Runtime, which is not installed",
            hint="pip install onnxruntime",
            code="engine.library",
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Each network has threads of its own. Waiting busily for their next turn, which is the default,
    # they take the cores from the network whose turn it is.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            content, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except (
        errors.Fail,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.InvalidProtobuf,
        errors.NoSuchFile,
        errors.NotImplemented,
        errors.RuntimeException,
    ) as error:
        raise refuse(where, f"is no ONNX network that ONNX Runtime opens: {error}") from error


def _match(specs: tuple[TensorSpec, ...], nodes: Any, where: str) -> None:
    found = {node.name: node for node in nodes}
    names = sorted(spec.name for spec in specs)
    if names != sorted(found):
        raise refuse(where, f"has tensors {sorted(found)} and its contract names {names}")
    for spec in specs:
        node = found[spec.name]
        if tuple(node.shape) != spec.shape:
            raise refuse(
                where, f"{spec.name} has shape {tuple(node.shape)}, in its contract {spec.shape}"
            )
        dtype = _DTYPES.get(node.type, node.type)
        if dtype != spec.dtype:
            raise refuse(where, f"{spec.name} is {dtype}, in its contract {spec.dtype}")
