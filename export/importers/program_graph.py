"""Read the steps of an exported program out of its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from edge.errors import ConfigError
from export.importers.aten import Ref, Step, find_operator

__all__ = ["DTYPES", "only", "read_steps"]

#: Numbers of dtypes in the program's schema: ``ScalarType`` of torch/_export/serde/schema.py.
DTYPES: Mapping[int, torch.dtype] = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
#: Checks of sizes that a program leaves open; they are fixed here.
_CHECKS = ("torch.ops.aten._assert_", "torch.ops.aten.sym_constrain_range")
#: Arguments that say where a tensor lies, or how; ours lie on the CPU, one number after another.
_PLACES = ("as_device", "as_layout", "as_memory_format")
_LISTS = ("as_ints", "as_floats", "as_bools", "as_strings")
_TRAINING = ("training", "train")


def read_steps(nodes: Sequence[Mapping[str, Any]], *, where: str) -> list[Step]:
    """Return the steps in the order of the file; checks of open sizes are left out.

    Raises:
        ConfigError: an operator is not supported, or is in training mode.
        KeyError, TypeError, ValueError: the JSON is not what PyTorch writes.
    """
    return [_step(node, where) for node in nodes if not str(node["target"]).startswith(_CHECKS)]


def _step(node: Mapping[str, Any], where: str) -> Step:
    target = str(node["target"])
    call, placed = find_operator(target, where=where)
    positional, named = [], {}
    for item in node["inputs"]:
        kind, value = only(item["arg"])
        if kind in _PLACES:
            continue
        name, decoded = item["name"], _argument(kind, value)
        if name in _TRAINING and decoded is True:
            raise ConfigError(
                f"{where}: operator {target} is in training mode",
                hint="call .eval() on the network and export it again",
                code="source.training",
            )
        if name:
            named[name] = decoded
        else:
            positional.append(decoded)
    results, several = _results(node["outputs"])
    return Step(target, call, tuple(positional), named, results, several, placed)


def _argument(kind: str, value: Any) -> Any:
    if kind == "as_none":
        return None
    if kind == "as_tensor":
        return Ref(value["name"])
    if kind in ("as_tensors", "as_nested_tensors"):
        return [Ref(item["name"]) for item in value]
    if kind == "as_optional_tensors":
        return [_argument(*only(item)) for item in value]
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        inner, known = only(value)
        return Ref(known) if inner == "as_name" else known
    if kind in ("as_sym_ints", "as_sym_floats"):
        return [_argument("as_sym_int", item) for item in value]
    if kind == "as_scalar_type":
        return DTYPES[value]
    if kind == "as_float":
        return float(value)
    if kind in ("as_int", "as_bool", "as_string"):
        return value
    if kind in _LISTS:
        return list(value)
    raise ValueError(f"argument of kind {kind}")


def _results(outputs: Sequence[Mapping[str, Any]]) -> tuple[tuple[str | None, ...], bool]:
    """Return the names of what a step gives, and whether it gives several things."""
    if len(outputs) == 1:
        kind, value = only(outputs[0])
        if kind == "as_tensors":
            return tuple(item["name"] for item in value), True
        return (_result(kind, value),), False
    return tuple(_result(*only(output)) for output in outputs), True


def _result(kind: str, value: Any) -> str | None:
    if kind == "as_none":
        return None
    return str(value["name"] if kind == "as_tensor" else value["as_name"])


def only(union: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the one key of a JSON union, which names its kind, and its value."""
    ((kind, value),) = union.items()
    return kind, value
