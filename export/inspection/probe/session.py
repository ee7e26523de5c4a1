"""Run an ONNX network in ONNX Runtime and see the tensors that the float program has by name.

Every tensor that is made an output breaks the fusion around it. So a quantised tensor is shown
behind its QuantizeLinear, where the fused int8 operator hands it out anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.base import Grid, Sample, Step, fit_sample
from benchmarks.anatomy.quiet import quiet
from edge.errors import DataError, UnavailableError
from export.inspection.onnx_file import parse_onnx
from export.onnx_writer import input_steps

__all__ = ["OnnxProbe"]


class OnnxProbe:
    """An ONNX network that shows the tensors that are asked for; see ``Probe``.

    Args:
        content: the file; one with data outside it is refused.
        where: its name, for messages.
        wanted: names of tensors; those that it does not have are left out.

    Raises:
        DataError: the file cannot be read, or the runtime refuses it.
        UnavailableError: onnx or onnxruntime is not installed.
    """

    def __init__(self, content: bytes, *, where: str, wanted: frozenset[str]) -> None:
        self._where = where
        model = parse_onnx(content, where=where)
        graph = model.graph
        self.steps = tuple(
            Step(index, node.op_type, tuple(node.input), tuple(node.output))
            for index, node in enumerate(graph.node)
        )
        self.outputs = tuple((value.name, value.name) for value in graph.output)
        quantised = _quantised(graph)
        self._fed = {
            name: Grid(scale, zero, -128, 127)
            for name, (scale, zero) in input_steps(content, where=where).items()
        }
        self.grids: Mapping[str, Grid] = {
            **{name: grid for name, (_, grid) in quantised.items()},
            **self._fed,
        }
        made = {name for node in graph.node for name in node.output}
        self._shown: dict[str, str] = {}
        for name in (wanted & made) | {name for name, _ in self.outputs}:
            self._shown[name] = quantised[name][0] if name in quantised else name
        self._session = _open(model, self._shown.values(), where)
        fed = self._session.get_inputs()
        self.inputs = tuple(value.name for value in fed)
        self._shapes = [tuple(value.shape) for value in fed]
        if any(not isinstance(size, int) for shape in self._shapes for size in shape):
            raise DataError(f"{where}: an input has no fixed size", code="trace.open")
        self._dtypes = [_dtype(value.type) for value in fed]

    def run(self, sample: Sample) -> Mapping[str, NDArray[np.float32]]:
        """Compute one sample; see ``Probe.run``."""
        arrays = fit_sample(sample, self._shapes, where=self._where)
        feed = {
            name: (self._fed[name].codes(array) if name in self._fed else array).astype(dtype)
            for name, array, dtype in zip(self.inputs, arrays, self._dtypes, strict=True)
        }
        values = {
            name: self._fed[name].real(array) if name in self._fed else array.astype(np.float32)
            for name, array in feed.items()
        }
        try:
            results = self._session.run(list(self._shown.values()), feed)
        except Exception as error:
            # ONNX Runtime's exceptions have no common base but this.
            raise DataError(
                f"{self._where}: the network does not run: {error}", code="trace.run"
            ) from error
        for (name, shown), array in zip(self._shown.items(), results, strict=True):
            codes = shown != name
            values[name] = self.grids[name].real(array) if codes else array.astype(np.float32)
        return values


def _quantised(graph: Any) -> dict[str, tuple[str, Grid]]:
    """Return for each tensor with a QuantizeLinear behind it that one's output and grid."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        known = all(name in constants for name in node.input[1:])
        if node.op_type != "QuantizeLinear" or len(node.input) < 3 or not known:
            continue
        scale, zero = (numpy_helper.to_array(constants[name]) for name in node.input[1:3])
        if scale.size == 1 and zero.dtype.kind in "iu":
            ends = np.iinfo(zero.dtype)
            grid = Grid(float(scale.item()), int(zero.item()), int(ends.min), int(ends.max))
            found[node.input[0]] = (node.output[0], grid)
    return found


def _open(model: Any, shown: Any, where: str) -> Any:
    """Make tensors outputs beside the graph's own and open the copy."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UnavailableError(
            f"{where}: looking into it needs ONNX Runtime, which is not installed",
            hint="pip install onnxruntime",
            code="engine.library",
        ) from error
    there = {value.name for value in model.graph.output}
    for name in shown:
        if name not in there:
            model.graph.output.add().name = name
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        with quiet():
            return onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
    except Exception as error:
        # ONNX Runtime's exceptions have no common base but this.
        raise DataError(
            f"{where}: the runtime refuses this ONNX network: {error}", code="trace.open"
        ) from error


def _dtype(kind: str) -> str:
    return {"tensor(float)": "float32", "tensor(float16)": "float16"}.get(
        kind, kind.removeprefix("tensor(").removesuffix(")")
    )
