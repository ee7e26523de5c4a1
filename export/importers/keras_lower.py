"""Lower what TensorFlow has built to the float program."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.anatomy.flatbuffer import pack, unpack
from benchmarks.anatomy.graph import read_graph
from benchmarks.anatomy.quiet import quiet
from edge.errors import ConfigError, EdgeError, UnavailableError
from export.importers.tflite import check_float
from export.program.affine import fold_affine
from export.program.fold_enlarge import fold_enlarge
from export.program.lower import SIGNATURE

__all__ = ["Built", "lower_built", "tensorflow"]

#: How the converter says that TFLite has no operator for one of TensorFlow's.
_NO_OPERATOR = re.compile(r"'(tf\.\w+)' op is neither a custom op nor a flex op")


@dataclass(frozen=True, slots=True)
class Built:
    """A network that TensorFlow can run.

    Attributes:
        call: takes one tensor an input and returns a list with one an output.
        inputs: name, sizes (None for what is open) and dtype of each.
        outputs: names.
    """

    call: Callable[..., Sequence[Any]]
    inputs: tuple[tuple[str, tuple[int | None, ...], str], ...]
    outputs: tuple[str, ...]


def tensorflow(where: str) -> Any:
    """Import TensorFlow.

    Raises:
        UnavailableError: it is not installed, or Keras is told to run on something else.
    """
    try:
        with quiet():
            import keras
            import tensorflow as tf
    except ImportError as error:
        raise UnavailableError(
            f"{where}: reading it needs {error.name}",
            hint="pip install unveil-edge[keras]",
            code="export.keras",
        ) from error
    if (backend := keras.backend.backend()) != "tensorflow":
        raise UnavailableError(
            f"{where}: Keras runs on {backend} here, and its converter is TensorFlow's",
            hint="set KERAS_BACKEND=tensorflow",
            code="export.keras",
        )
    return tf


def lower_built(built: Built, *, input_hw: tuple[int, int] | None, where: str) -> bytes:
    """Convert to float TFLite with a batch of 1 and the signature ``SIGNATURE``.

    Variables are made constants before: the converter keeps those of Keras 3 as variables
    otherwise. Input and output tensors get the network's own names.

    Raises:
        ConfigError: a size is missing, or an operator has no counterpart; they are named.
        DataError: a weight is not finite.
    """
    tf = tensorflow(where)
    from tensorflow.python.framework import convert_to_constants

    specs = [
        tf.TensorSpec(_fixed(name, sizes, input_hw, where), dtype, name=f"args_{i}")
        for i, (name, sizes, dtype) in enumerate(built.inputs)
    ]
    try:
        with quiet():
            function = tf.function(built.call, input_signature=specs, autograph=False)
            frozen = convert_to_constants.convert_variables_to_constants_v2(
                function.get_concrete_function()
            )
            content = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    except Exception as error:
        # Layers, TensorFlow and the converter raise whatever they meet.
        raise _refusal(error, where) from error
    content = fold_affine(_with_names(content, built, where), where=where)
    content = fold_enlarge(content, where=where)
    check_float(read_graph(content, where=where), where=where)
    return content


def _fixed(
    name: str, sizes: tuple[int | None, ...], input_hw: tuple[int, int] | None, where: str
) -> list[int]:
    """Fix a batch of 1, and height and width as they are asked for."""
    fixed = [1, *sizes[1:]]
    if sizes[0] not in (None, 1):
        raise ConfigError(
            f"{where}: input {name} is a batch of {sizes[0]}",
            hint="save the network with an open batch, or one of 1",
            code="source.batch",
        )
    if len(fixed) == 4 and input_hw:
        fixed[1:3] = [have or want for have, want in zip(fixed[1:3], input_hw, strict=True)]
        if tuple(fixed[1:3]) != input_hw:
            raise ConfigError(
                f"{where}: input {name} is {list(sizes)}, and {input_hw[0]}x{input_hw[1]} was "
                "asked for",
                code="source.size",
            )
    known = [size for size in fixed if size is not None]
    if len(known) < len(fixed):
        raise ConfigError(
            f"{where}: input {name} leaves sizes open: {[s or '?' for s in fixed]}",
            hint="give its height and width with --imgsz HxW",
            code="source.open",
        )
    return known


def _refusal(error: Exception, where: str) -> EdgeError:
    operators = sorted(set(_NO_OPERATOR.findall(str(error))))
    if operators:
        return ConfigError(
            f"{where}: TFLite has no operator for {', '.join(operators)}",
            hint="replace it in the network",
            code="source.operator",
        )
    lines = str(error).strip().splitlines()
    return ConfigError(
        f"{where}: cannot be converted: {type(error).__name__}: {lines[0][:200] if lines else ''}",
        code="source.convert",
    )


def _with_names(content: bytes, built: Built, where: str) -> bytes:
    """Write the signature, and the network's own names at its ends."""
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(content, where=where)
    graph = model.subgraphs[0]
    for index, tensor in enumerate(graph.tensors):
        # TensorFlow counts what has no name through the life of the process.
        if tensor.name.isdigit():
            tensor.name = b"tensor_%d" % index
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE.encode()
    taken = {tensor.name for tensor in graph.tensors}
    named: set[int] = set()
    for role, prefix, names in (
        ("inputs", "args", [name for name, _, _ in built.inputs]),
        ("outputs", "output", built.outputs),
    ):
        maps = []
        for i, (index, name) in enumerate(zip(getattr(graph, role), names, strict=True)):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = f"{prefix}_{i}".encode(), int(index)
            maps.append(entry)
            # An output may be an input, or another output once more: the first name stays.
            if (encoded := name.encode()) not in taken and int(index) not in named:
                graph.tensors[int(index)].name = encoded
                taken.add(encoded)
                named.add(int(index))
        setattr(signature, role, maps)
    model.signatureDefs = [signature]
    return pack(model)
