"""Go through a TFLite graph node by node and write each as ONNX."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.anatomy.graph import Graph, Node, Tensor
from edge.errors import ConfigError
from export.onnx_writer.builder import Builder
from export.onnx_writer.dilated import fold_dilated
from export.onnx_writer.infer import Unwritable
from export.onnx_writer.operators import FOLDED, OPERATORS
from export.onnx_writer.site import Site
from export.onnx_writer.values import Draft, Value
from export.quantisation.scales import Steps

__all__ = ["translate"]

#: Of tensors; an ONNX file can have more, and no operator here makes them.
_DTYPES = ("bool", "float16", "float32", "int32", "int64", "int8", "uint8")
#: What a damaged operator makes an emitter trip over.
_TRIPS = (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError, OverflowError)
#: So many problems are named.
_NAMED = 5


def translate(
    graph: Graph, *, opset: int, real: str, inputs: Mapping[str, Steps] | None, where: str
) -> Draft:
    """Write a float TFLite graph as an ONNX draft.

    Args:
        graph: float; nodes in the order of execution.
        opset: of ONNX.
        real: dtype of real numbers inside, ``float32`` or ``float16``.
        inputs: by tensor name, how real inputs are stored if they come as int8; else None.
        where: name of the file, for messages.

    Raises:
        ConfigError: operators that cannot be written; they are named, with their tensors.
    """
    _refuse_quantised(graph, where)
    translator = _Translator(graph, Builder(opset, real), inputs)
    draft = translator.run()
    if draft is None:
        problems = translator.problems
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise ConfigError(
            f"{where}: cannot be written as ONNX: {'; '.join(problems[:_NAMED])}{more}",
            hint="export.onnx_writer.OPERATORS lists what can",
            code="onnx.operator",
        )
    return draft


def _refuse_quantised(graph: Graph, where: str) -> None:
    for tensor in graph.tensors:
        if tensor.data is None and tensor.quantisation is not None and tensor.dtype != "float32":
            raise ConfigError(
                f"{where}: is quantised already: {tensor.name} is {tensor.dtype}",
                hint="ONNX is written from the float program",
                code="onnx.quantised",
            )


class _Translator:
    """One graph on its way.

    Attributes:
        problems: operators that cannot be written, with their tensors and the reason.
    """

    def __init__(self, graph: Graph, builder: Builder, inputs: Mapping[str, Steps] | None) -> None:
        self._graph, self._builder, self._steps = graph, builder, inputs
        self._env: dict[int, Value] = {}
        self.problems: list[str] = []
        self._sound = True

    def run(self) -> Draft | None:
        """Return the draft; None if there are problems."""
        graph, builder = self._graph, self._builder
        names_in = [builder.unique(name) for name, _ in graph.inputs]
        names_out = [builder.unique(name) for name, _ in graph.outputs]
        inputs, outputs = [], []
        if not names_out:
            self.problems.append("it has no outputs")
        for name, (_, index) in zip(names_in, graph.inputs, strict=True):
            with self._noting(f"input {name!r}"):
                inputs.append(self._input(name, graph.tensors[index]))
        for node in fold_dilated(graph):
            self._write(node)
        for name, (_, index) in zip(names_out, graph.outputs, strict=True):
            with self._noting(f"output {name!r}"):
                outputs.append(self._output(name, index))
        return None if self.problems else builder.draft(inputs, outputs)

    @contextlib.contextmanager
    def _noting(self, label: str, outputs: Sequence[Tensor] = ()) -> Iterator[None]:
        """Note why something cannot be written; what comes after a first problem is no news."""
        try:
            yield
        except _TRIPS as error:
            if self._sound:
                text = str(error) if isinstance(error, Unwritable) else f"is damaged: {error}"
                self._fail(f"{label} {text}", outputs)

    def _input(self, name: str, tensor: Tensor) -> Value:
        """Declare an input and bring it to real numbers, and channels first if it is a picture."""
        builder = self._builder
        builder.origin = tensor.name
        if tensor.dtype not in _DTYPES:
            raise Unwritable(f"is {tensor.dtype}")
        real = tensor.dtype == "float32"
        inside = f"{tensor.name}/nhwc" if len(tensor.shape) == 4 else tensor.name
        steps = self._steps[tensor.name] if self._steps is not None and real else None
        given = value = builder.input(name, tensor.shape, "int8" if steps else tensor.dtype)
        if steps is not None:
            value = _from_int8(builder, given, steps, inside)
        elif real and builder.real == "float16":
            value = builder.node("Cast", [given], inside, to="float16")
        builder.holds(value, tensor.name)
        self._env[tensor.index] = builder.first(value, tensor.name) if value.rank == 4 else value
        return given

    def _output(self, name: str, index: int) -> Value:
        value = self._value(index)
        self._builder.origin = self._graph.tensors[index].name
        dtype = "float32" if value.dtype == "float16" else value.dtype
        return self._builder.output(value, name, dtype)

    def _write(self, node: Node) -> None:
        """Write one node."""
        outputs = [self._graph.tensors[index] for index in node.outputs]
        label = f"{node.op} {outputs[0].name!r}" if outputs else node.op
        emitter = OPERATORS.get(node.op)
        if emitter is None or node.custom or not outputs:
            alone = " but round a convolution" if node.op in FOLDED else ""
            self._fail(f"{label} is not supported{alone}", outputs)
            return
        self._builder.origin = outputs[0].name
        with self._noting(label, outputs):
            site = Site(self._builder, node, [self._optional(i) for i in node.inputs], outputs)
            emitter(site)
            for tensor, value in zip(outputs, site.results, strict=True):
                self._env[tensor.index] = value
                self._builder.holds(value, tensor.name)

    def _fail(self, problem: str, outputs: Sequence[Tensor]) -> None:
        self.problems.append(problem)
        self._sound = False
        for tensor in outputs:
            self._env[tensor.index] = Value(tensor.name, tensor.shape, tensor.dtype)

    def _optional(self, index: int) -> Value | None:
        return None if index < 0 else self._value(index)

    def _value(self, index: int) -> Value:
        """Return a tensor as ONNX has it.

        Raises:
            Unwritable: nothing makes it.
        """
        if index not in self._env:
            tensor = self._graph.tensors[index]
            if tensor.dtype not in _DTYPES:
                raise Unwritable(f"reads {tensor.name}, which is {tensor.dtype}")
            data = tensor.data if tensor.quantisation is None else tensor.real
            if data is None and 0 not in tensor.shape:
                raise Unwritable(f"reads {tensor.name}, which nothing makes")
            data = np.zeros(tensor.shape, tensor.dtype) if data is None else data
            # A lone infinity is a pad that is smaller than all.
            if np.isnan(data).any() or (data.size > 1 and not np.isfinite(data).all()):
                raise Unwritable(f"reads {tensor.name}, which holds values that are not finite")
            self._env[index] = self._builder.constant(data, tensor.name)
        return self._env[index]


def _from_int8(builder: Builder, given: Value, steps: Steps, name: str) -> Value:
    """Write the way from an int8 input to its real values, in their own layout."""
    scale, zero_point = steps
    inputs = [
        given,
        builder.constant(np.asarray(scale, np.float32), f"{given.name}/scale"),
        builder.constant(np.zeros((), np.int8), "zero"),
    ]
    if zero_point == 0:
        return builder.node("DequantizeLinear", inputs, name)
    real = builder.node("DequantizeLinear", inputs, f"{given.name}/real")
    shift = np.asarray(-zero_point * scale, np.float32)
    return builder.node("Add", [real, builder.constant(shift, f"{given.name}/shift")], name)
