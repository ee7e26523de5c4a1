"""Look at an ONNX file as operators and constants, with what Q/DQ means round them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from export.onnx_writer.infer import load_onnx
from export.onnx_writer.placement import SHUFFLES

__all__ = ["Call", "View"]

Array = NDArray[Any]
_Q, _DQ = "QuantizeLinear", "DequantizeLinear"
#: Leave every number as it is.
_THROUGH = (*SHUFFLES, "Flatten", "Identity", "Squeeze", "Unsqueeze")
_ACTIVATED = ("Clip", "Relu")
#: The format's own limit.
_MAX_BYTES = 2 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One operator of a file.

    Attributes:
        op, domain: its type.
        inputs, outputs: names.
    """

    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    _proto: Any

    def input(self, place: int) -> str:
        """Return the name of an input, empty if it is left out."""
        return self.inputs[place] if place < len(self.inputs) else ""

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute; text is bytes.

        Args:
            name: of the attribute.
            default: where there is none, or one of another type; numbers of a list in a tuple. For
                None any type will do.
        """
        for found in self._proto.attribute:
            if found.name == name:
                try:
                    value = load_onnx().helper.get_attribute_value(found)
                except ValueError:
                    return default
                value = tuple(value) if isinstance(value, list) else value
                return value if default is None or type(value) is type(default) else default
        return default


class View:
    """An ONNX graph.

    Attributes:
        calls: in the file's order.
        inputs, outputs: names.
        opset: of the default domain.
    """

    def __init__(self, model: Any) -> None:
        graph = model.graph
        self.calls = tuple(
            Call(n.op_type, n.domain, tuple(n.input), tuple(n.output), n)
            for n in graph.node
            if n.output
        )
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._values = {
            value.name: value.type.tensor_type
            for values in (graph.input, graph.output, graph.value_info)
            for value in values
        }
        self.inputs = {value.name for value in graph.input} - set(self._stored)
        self.outputs = {value.name for value in graph.output}
        self.opset = max((s.version for s in model.opset_import if not s.domain), default=1)
        self._makers = {name: call for call in self.calls for name in call.outputs}
        self._readers: dict[str, list[Call]] = {}
        for call in self.calls:
            for name in dict.fromkeys(call.inputs):
                self._readers.setdefault(name, []).append(call)
        self._constants: dict[str, Array | None] = {}

    @classmethod
    def read(cls, content: bytes, *, where: str) -> View:
        """Read a file; nothing in it is executed and no other file is opened.

        Raises:
            DataError: it is no ONNX file.
        """
        onnx = load_onnx()
        from google.protobuf.message import DecodeError

        try:
            if len(content) > _MAX_BYTES:
                raise DecodeError("larger than 2 GiB")
            model = onnx.load_from_string(content)
        except DecodeError as error:
            raise DataError(f"{where}: is no ONNX file: {error}", code="onnx.format") from error
        if not model.graph.node or not model.graph.output:
            raise DataError(f"{where}: is no ONNX file: it has no graph", code="onnx.format")
        return cls(model)

    def of(self, *ops: str) -> Iterator[Call]:
        """Go through the operators of some types."""
        return (call for call in self.calls if call.op in ops)

    def maker(self, name: str) -> Call | None:
        """Return the operator that makes a value; None for an input or a constant."""
        return self._makers.get(name)

    def readers(self, name: str) -> list[Call]:
        """Return the operators that read a value."""
        return self._readers.get(name, [])

    def constant(self, name: str) -> Array | None:
        """Return a constant's numbers; None if it is computed, or kept outside the file."""
        if name not in self._constants:
            self._constants[name] = self._read_constant(name)
        return self._constants[name]

    def dtype(self, name: str) -> str:
        """Return a value's type in NumPy's words; empty if the file does not say it."""
        stored, value = self._stored.get(name), self._values.get(name)
        number = stored.data_type if stored is not None else value.elem_type if value else 0
        try:
            helper = load_onnx().helper
            return np.dtype(helper.tensor_dtype_to_np_dtype(number)).name if number else ""
        except KeyError:
            return f"type {number}"

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a value's sizes as the file says them; 0 for one that it leaves open."""
        value = self._values.get(name)
        return tuple(size.dim_value for size in value.shape.dim) if value else ()

    def source(self, name: str) -> str:
        """Go back over operators that leave every number as it is."""
        seen = {name}
        maker = self.maker(name)
        while maker is not None and maker.op in _THROUGH and maker.inputs[0] not in seen:
            name = maker.inputs[0]
            seen.add(name)
            maker = self.maker(name)
        return name

    def scale_of(self, name: str) -> Array | None:
        """Return the scale with which a value was dequantised; None if it was not."""
        maker = self.maker(self.source(name))
        return self.constant(maker.input(1)) if maker is not None and maker.op == _DQ else None

    def stored(self, name: str) -> Array | None:
        """Return the stored numbers of a quantised weight, which may be quantised in the graph."""
        maker = self.maker(self.source(name))
        if maker is None or maker.op != _DQ:
            return None
        inner = self.maker(maker.input(0))
        if inner is not None and inner.op == _Q:
            return self.constant(inner.input(0))
        return self.constant(maker.input(0))

    def quantisers(self, names: tuple[str, ...]) -> list[Call]:
        """Return the QuantizeLinear operators that read values, shuffles between or not."""
        found: list[Call] = []
        left, seen = list(names), set(names)
        while left:
            for reader in self.readers(left.pop()):
                if reader.op == _Q:
                    found.append(reader)
                elif reader.op in _THROUGH and reader.outputs[0] not in seen:
                    seen.add(reader.outputs[0])
                    left.append(reader.outputs[0])
        return found

    def wanted_in_int8(self, name: str) -> bool:
        """Tell whether a value is quantised, behind its activation or not."""
        behind = [r.outputs[0] for r in self.readers(name) if r.op in _ACTIVATED]
        return bool(self.quantisers((name, *behind)))

    def is_direct(self, name: str) -> bool:
        """Tell whether a value is a convolution's own output, which one operator reads."""
        maker = self.maker(name)
        return maker is not None and maker.op == "Conv" and len(self.readers(name)) == 1

    def pair_behind_convolution(self, name: str) -> bool:
        """Tell whether a value is a pair's that stands right behind a convolution for it alone."""
        dequantise = self.maker(name)
        if dequantise is None or dequantise.op != _DQ or len(self.readers(name)) != 1:
            return False
        quantise = self.maker(dequantise.input(0))
        return quantise is not None and quantise.op == _Q and self.is_direct(quantise.input(0))

    def _read_constant(self, name: str) -> Array | None:
        onnx = load_onnx()
        tensor = self._stored.get(name)
        maker = self._makers.get(name)
        if tensor is None and maker is not None and maker.op == "Constant":
            tensor = maker.attribute("value", None)
        if not isinstance(tensor, onnx.TensorProto) or onnx.external_data_helper.uses_external_data(
            tensor
        ):
            return None
        try:
            return np.asarray(onnx.numpy_helper.to_array(tensor))
        except (ValueError, TypeError, KeyError):
            return None
