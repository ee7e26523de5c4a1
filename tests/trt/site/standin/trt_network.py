"""Network, parser and what they are made of."""

from __future__ import annotations

from typing import Any

from standin import violate
from standin.onnx_file import Fault, Node, OnnxFile, Shape, is_read, read, shapes_of
from standin.release import as_released, enumerations, later

__all__ = [
    "DTYPES",
    "ENUMS",
    "ILayer",
    "ILogger",
    "INetworkDefinition",
    "ITensor",
    "Logger",
    "OnnxParser",
    "ParserError",
    "need_logger",
    "same_type",
    "say",
]

ENUMS = enumerations()
DTYPES = {"float32": "FLOAT", "float16": "HALF", "int8": "INT8", "int32": "INT32", "uint8": "UINT8",
           "int64": "INT64", "bool": "BOOL"}  # fmt: skip
_TYPES = {"Conv": "CONVOLUTION", "QuantizeLinear": "QUANTIZE", "DequantizeLinear": "DEQUANTIZE",
          "Relu": "ACTIVATION", "Clip": "ACTIVATION", "Add": "ELEMENTWISE"}  # fmt: skip


def same_type(value: object, kind: str, what: str) -> None:
    """Refuse an argument of another type, as pybind11 does."""
    if type(value).__name__ != kind:
        raise TypeError(f"{what}(): incompatible function arguments; wanted {kind}, got {value!r}")


class InvalidDims:
    """The shape of what TensorRT found not to fit together: its length is -1."""

    def __len__(self) -> int:
        raise ValueError("__len__() should return >= 0")

    def __iter__(self) -> Any:
        raise ValueError("__len__() should return >= 0")


@as_released
class ITensor:
    def __init__(self, network: Any, name: str, dtype: str) -> None:
        self._network, self._facts = network, (name, dtype)

    @property
    def name(self) -> str:
        return self._facts[0]

    @property
    def dtype(self) -> Any:
        return getattr(ENUMS["DataType"], DTYPES[self._facts[1] or "float32"])

    @property
    def shape(self) -> Any:
        shape = self._network._shapes().get(self.name, ())
        return InvalidDims() if shape is None else shape

    @shape.setter
    def shape(self, value: Any) -> None:
        self._network._resize(self.name, tuple(map(int, value)))


@as_released
class ILayer:
    def __init__(self, network: Any, node: Node) -> None:
        self._network, self._node = network, node

    @property
    def name(self) -> str:
        return self._node.name

    @property
    def metadata(self) -> str:
        return f"[ONNX Layer: {self._node.name}]"

    @property
    def type(self) -> Any:
        return getattr(ENUMS["LayerType"], _TYPES.get(self._node.op, "SHUFFLE"))

    @property
    def num_outputs(self) -> int:
        return len(self._node.outputs)

    @property
    def num_inputs(self) -> int:
        return len(self._node.inputs)

    def get_input(self, index: int) -> Any:
        name = self._node.inputs[index]
        return ITensor(self._network, name, "") if name else None

    def get_output(self, index: int) -> Any:
        return ITensor(self._network, self._node.outputs[index], self._node.dtype)


@as_released
class INetworkDefinition:
    def __init__(self, flags: int) -> None:
        self._flags, self._file = flags, None
        self._sizes: dict[str, tuple[int, ...]] = {}
        self._found: dict[str, Shape] | None = None
        known = ENUMS["NetworkDefinitionCreationFlag"]
        bits = sum(1 << int(m) for n in vars(known) if isinstance(m := getattr(known, n), known))
        if flags & ~bits:
            violate(f"create_network: flags {flags:#x} are more than this release has")
        if not later(10) and not flags & 1 << int(known.EXPLICIT_BATCH):
            violate("create_network: without EXPLICIT_BATCH the parser of TensorRT 8 reads nothing")

    _file: OnnxFile | None
    #: The parser owns them.
    _has_weights = False

    def _resize(self, name: str, shape: tuple[int, ...]) -> None:
        known = {tensor[0]: tensor[3] for tensor in self._file.tensors if tensor[1]} if (
            self._file
        ) else {}  # fmt: skip
        if name not in known or len(known[name]) != len(shape):
            violate(f"ITensor.shape: {name} is no input of {len(shape)} dimensions")
        self._sizes[name] = shape
        self._found = None

    def _shapes(self) -> dict[str, Shape]:
        assert self._file is not None
        if self._found is None:
            given = {t[0]: t[3] for t in self._file.tensors if t[1]}
            self._found = shapes_of(self._file.content, given | self._sizes)
        return self._found

    def _is_strong(self) -> bool:
        if later(11):
            return True
        flag = getattr(ENUMS["NetworkDefinitionCreationFlag"], "STRONGLY_TYPED", None)
        return flag is not None and bool(self._flags & 1 << int(flag))

    @property
    def num_layers(self) -> int:
        return len(self._file.nodes) if self._file else 0

    def get_layer(self, index: int) -> Any:
        assert self._file is not None
        return ILayer(self, self._file.nodes[index])

    @property
    def num_inputs(self) -> int:
        return len(self._ends(True))

    def get_input(self, index: int) -> Any:
        return self._ends(True)[index]

    @property
    def num_outputs(self) -> int:
        return len(self._ends(False))

    def get_output(self, index: int) -> Any:
        return self._ends(False)[index]

    def _ends(self, wanted: bool) -> list[Any]:
        tensors = self._file.tensors if self._file else ()
        return [ITensor(self, name, dtype) for name, is_in, dtype, _ in tensors if is_in == wanted]


@as_released
class ParserError:
    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def code(self) -> Any:
        return getattr(ENUMS["ErrorCode"], self._fault.code)

    def desc(self) -> str:
        return self._fault.text

    def file(self) -> str:
        return "ModelImporter.cpp"

    def func(self) -> str:
        return "parseNode"

    def line(self) -> int:
        return 1

    def node(self) -> int:
        return self._fault.node

    def node_name(self) -> str:
        return self._fault.name

    def node_operator(self) -> str:
        return self._fault.operator


@as_released
class OnnxParser:
    def __init__(self, network: Any, logger: Any) -> None:
        same_type(network, "INetworkDefinition", "OnnxParser")
        need_logger(logger)
        if network._file is not None:
            violate("OnnxParser: the network is not empty")
        self._network, self._logger, self._faults = network, logger, list[Fault]()

    def __del__(self) -> None:
        if hasattr(self, "_network"):
            self._network._has_weights = False

    def parse(self, model: bytes, path: str | None = None) -> bool:
        if self._faults:
            violate("OnnxParser.parse: the errors of the last file were not cleared")
        if not isinstance(model, (bytes, bytearray, memoryview)):
            raise TypeError("parse(): incompatible function arguments")
        found = read(bytes(model))
        if isinstance(found, list):
            self._faults = found
            for fault in found:
                say(self._logger, "ERROR", f"ModelImporter.cpp: {fault.text}")
            return False
        self._network._file, self._network._has_weights = found, True
        return True

    @property
    def num_errors(self) -> int:
        return len(self._faults)

    def get_error(self, index: int) -> Any:
        return ParserError(self._faults[index])

    def clear_errors(self) -> None:
        self._faults = []

    def supports_operator(self, op_name: str) -> bool:
        return is_read(op_name)


class ILogger:
    """A base to derive from; not calling its ``__init__`` is an error, as in pybind11."""

    Severity: Any = None

    def __init__(self) -> None:
        self._base_made = True

    def log(self, severity: Any, msg: str) -> None:
        raise RuntimeError('Tried to call pure virtual function "ILogger::log"')


def _make_severities() -> None:
    from standin.release import Enumeration

    kind = type("Severity", (Enumeration,), {})
    for value, name in enumerate(("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE")):
        member = kind(name, value)
        setattr(kind, name, member)
        setattr(ILogger, name, member)
    ILogger.Severity = kind


_make_severities()


class Logger(ILogger):
    def __init__(self, min_severity: Any = None) -> None:
        super().__init__()
        self.min_severity = ILogger.Severity.WARNING if min_severity is None else min_severity

    def log(self, severity: Any, msg: str) -> None:
        if int(severity) <= int(self.min_severity):
            print(f"[TRT] {msg}")


def need_logger(logger: Any) -> None:
    """Refuse what is no logger, or one whose base was not made."""
    if not isinstance(logger, ILogger):
        raise TypeError("incompatible constructor arguments: a logger is wanted")
    if not getattr(logger, "_base_made", False):
        raise TypeError("ILogger.__init__() must be called when overriding __init__")


def say(logger: Any, severity: str, text: str) -> None:
    """Hand a line to the logger."""
    logger.log(getattr(ILogger.Severity, severity), text)
