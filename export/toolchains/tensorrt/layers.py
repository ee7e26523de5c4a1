"""What the builder made of every layer, in the words of the per-layer report.

TensorRT's inspector gives JSON (TensorRT developer guide, "Engine Inspector"), one entry a kernel.
Which operators of the ONNX file are in it stands in ``Metadata``, from 8.6 on, as ``[ONNX Layer:
NAME]``, separated by the characters 1E and 1F; before, in the kernel's name, with plus signs. Ours
have the name of their first output, which the report calls a layer; the parser calls one without a
name ``node_of_`` and that output (onnx-tensorrt, onnx2trt_utils.cpp, getNodeName).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

from edge.errors import DataError

__all__ = ["PlanLayer", "by_operator", "from_json", "read_layers"]

_UNNAMED = "node_of_"
_OPERATOR = re.compile(r"\[ONNX Layer: (.*?)\](?=[\x1e\x1f]|\[ONNX Layer: |\Z)", re.S)
#: TensorRT's words for types, as they stand in ``Format/Datatype``; NumPy's words for them.
_TYPES = {
    "int8": r"\bint8\b",
    "float16": r"\b(half|fp16)\b",
    "float32": r"\b(float|fp32)\b",
    "int32": r"\bint32\b",
    "int64": r"\bint64\b",
    "bool": r"\bbool\b",
}
#: Where a tensor's type stands: in one field with the format up to 10, in one of its own from 11 on
#: ("Migrating IEngineInspector Usage from TensorRT 10.x to 11.x").
_TYPE_KEYS = ("DataType", "Datatype", "Format/Datatype", "Format")
#: A tensor of a deep module has 700 characters and more; TensorRT takes names of 4096 bytes.
_MAX_LAYERS, _MAX_TEXT, _MAX_OPERATORS = 4096, 8192, 1000


@dataclass(frozen=True, slots=True)
class PlanLayer:
    """One kernel of an engine.

    Attributes:
        index: place in the order of execution.
        name: TensorRT's.
        kind: such as ``CaskConvolution`` or ``Reformat``.
        precision: what flows in, and what comes out if that is another type: ``int8``, ``int8 to
            float32``; empty where TensorRT does not say.
        operators: first outputs of the ONNX operators that are computed in it.
        tactic: the kernel that was chosen; empty where TensorRT does not say.
    """

    index: int
    name: str
    kind: str
    precision: str
    operators: tuple[str, ...]
    tactic: str

    def to_json(self) -> dict[str, object]:
        """Return the fields."""
        return {**asdict(self), "operators": list(self.operators)}


def read_layers(text: str, names: Set[str], *, where: str) -> tuple[PlanLayer, ...]:
    """Read what TensorRT's inspector says of an engine.

    Args:
        text: its JSON.
        names: of the layers that the engine was built from.
        where: the network's name, for messages.

    Raises:
        DataError: it is none.
    """
    try:
        entries = json.loads(text)["Layers"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{where}: TensorRT's inspector gives no JSON: {error}", code="build.layers"
        ) from error
    if not isinstance(entries, list):
        raise DataError(f"{where}: TensorRT's inspector lists no layers", code="build.layers")
    return tuple(_layer(i, entry, names) for i, entry in enumerate(entries[:_MAX_LAYERS]))


def from_json(raw: object) -> tuple[PlanLayer, ...]:
    """Read layers that ``to_json`` wrote; what is none is passed over."""
    if not isinstance(raw, list):
        return ()
    return tuple(
        PlanLayer(
            index=index,
            name=_text(entry.get("name")),
            kind=_text(entry.get("kind")),
            precision=_text(entry.get("precision")),
            operators=tuple(_text(o) for o in _items(entry.get("operators"))[:_MAX_OPERATORS]),
            tactic=_text(entry.get("tactic")),
        )
        for index, entry in enumerate(raw[:_MAX_LAYERS])
        if isinstance(entry, dict)
    )


def by_operator(layers: Sequence[PlanLayer]) -> dict[str, PlanLayer]:
    """Return the kernel that computes each operator, by the operator's first output."""
    return {name: layer for layer in layers for name in layer.operators}


def _layer(index: int, entry: object, names: Set[str]) -> PlanLayer:
    if not isinstance(entry, dict):
        # Without details the inspector gives names alone.
        name = _text(entry)
        return PlanLayer(index, name, "", "", _operators(name, "", names), "")
    name = _text(entry.get("Name"))
    return PlanLayer(
        index=index,
        name=name,
        kind=_text(entry.get("LayerType")),
        precision=_precision(entry),
        operators=_operators(name, entry.get("Metadata"), names),
        tactic=_text(entry.get("TacticName")),
    )


def _operators(name: str, metadata: object, names: Set[str]) -> tuple[str, ...]:
    named = _OPERATOR.findall(metadata) if isinstance(metadata, str) else []
    if not named:
        # The name of a kernel of several: "PWN(a, b) + c".
        inner = re.sub(r"PWN\(|\)", "", name)
        named = [part for part in re.split(r" \+ |, ", inner) if part in names]
    return tuple(dict.fromkeys(n.removeprefix(_UNNAMED) for n in named[:_MAX_OPERATORS]))


def _precision(entry: Mapping[str, Any]) -> str:
    before, behind = (_types(entry.get(key)) for key in ("Inputs", "Outputs"))
    came, goes = (types[0] if types else "" for types in (before, behind))
    if came and goes and came != goes:
        return f"{came} to {goes}"
    return came or goes


def _types(tensors: object) -> list[str]:
    found = []
    for tensor in _items(tensors):
        fields = tensor if isinstance(tensor, dict) else {}
        said = " ".join(_text(fields.get(key)) for key in _TYPE_KEYS).lower()
        found += [name for name, pattern in _TYPES.items() if re.search(pattern, said)][:1]
    return found


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else ""
