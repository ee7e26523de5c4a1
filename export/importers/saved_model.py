"""Vet a SavedModel before TensorFlow loads it, and read it.

A SavedModel is a program: TensorFlow runs whatever it says, reading and writing files included.
Here every operator that the network's signature reaches must be on a list of such that compute
numbers from numbers, and nothing else of the file may be run by loading it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.anatomy.quiet import quiet
from edge.errors import ConfigError, DataError
from export.importers.keras_lower import Built, tensorflow
from export.importers.safety import MAX_BYTES, parse_json, read_bounded

__all__ = ["open_saved_model"]

_FILE = "saved_model.pb"
_SIGNATURE = "serving_default"
_DIGITS = re.compile(r"(\d+)")
#: Operators of the signature: numbers from numbers, and the plumbing of functions and variables.
_OPERATORS = frozenset(
    """
    Abs Add AddN AddV2 All Any ArgMax ArgMin AvgPool BatchMatMul BatchMatMulV2 BatchMatMulV3
    BatchToSpaceND BiasAdd BroadcastTo Cast Ceil ClipByValue Concat ConcatV2 Const Conv2D
    Conv2DBackpropInput Cos Cumsum DepthToSpace DepthwiseConv2dNative DisableCopyOnRead Div
    DivNoNan Einsum Elu EnsureShape Equal Erf Exp ExpandDims Fill Floor FloorDiv FloorMod
    FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd GatherV2 Greater
    GreaterEqual Identity IdentityN Inv InvGrad L2Loss LRN LeakyRelu Less LessEqual Log Log1p
    LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul Max MaxPool MaxPoolV2 Maximum Mean Min
    Minimum MirrorPad Mod Mul Neg NoOp NotEqual OneHot OnesLike Pack Pad PadV2 PartitionedCall
    Placeholder PlaceholderWithDefault Pow PreventGradient Prod Range Rank ReadVariableOp
    RealDiv Reciprocal Relu Relu6 Reshape ResizeBicubic ResizeBilinear ResizeNearestNeighbor
    ReverseV2 Round Rsqrt Select SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Size Slice Snapshot
    Softmax Softplus Softsign SpaceToBatchND SpaceToDepth Split SplitV Sqrt Square
    SquaredDifference Squeeze StatefulPartitionedCall StopGradient StridedSlice Sub Sum Tan Tanh
    TensorScatterUpdate Tile TopKV2 Transpose Unpack VarHandleOp Where XDivY Xlogy ZerosLike
    """.split()
)
#: Parts of the object graph that run nothing when they are loaded.
_OBJECTS = ("user_object", "variable", "function", "bare_concrete_function", "constant")


def open_saved_model(folder: Path, scratch: Path) -> Built:
    """Load a SavedModel that only computes.

    Args:
        folder: of the SavedModel.
        scratch: empty folder for a copy of it: what was vetted is what is loaded.

    Raises:
        MissingInput, DataError, ConfigError: see ``export.importers.keras.open_keras``.
    """
    where = str(folder)
    tf = tensorflow(where)
    content, metadata = _copy(folder, scratch)
    key = _check(content, metadata, where=where)
    try:
        with quiet():
            loaded = tf.saved_model.load(str(scratch))
            function = loaded.signatures[key]
    except Exception as error:
        # TensorFlow raises whatever a damaged file makes it meet.
        lines = str(error).strip().splitlines() or [""]
        raise DataError(
            f"{where}: cannot be loaded: {type(error).__name__}: {lines[0][:200]}",
            code="source.damaged",
        ) from error
    inputs = function.structured_input_signature[1]
    names = sorted(inputs, key=_natural)
    outputs = sorted(function.structured_outputs, key=_natural)

    def call(*tensors: Any) -> list[Any]:
        # The loaded network lives as long as its function is called.
        found = loaded.signatures[key](**dict(zip(names, tensors, strict=True)))
        return [found[name] for name in outputs]

    return Built(
        call=call,
        inputs=tuple((n, tuple(inputs[n].shape), inputs[n].dtype.name) for n in names),
        outputs=tuple(outputs),
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort ``output_10`` after ``output_9``."""
    return [(int(part or 0), "") if part.isdecimal() else (0, part) for part in _DIGITS.split(name)]


def _check(content: bytes, metadata: bytes, *, where: str) -> str:
    """Refuse a SavedModel that would do more than compute.

    Args:
        content: its ``saved_model.pb``.
        metadata: its ``keras_metadata.pb``, which TensorFlow does not read; empty if there is none.
        where: its folder, for messages.

    Returns:
        Key of the signature to convert: ``serving_default``, or the only one.

    Raises:
        DataError: it is damaged, or something in it is run by loading it.
        ConfigError: an operator is not supported, there are several signatures and none is
            ``serving_default``, or it has a Lambda; signature, node and layer are named.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        model = saved_model_pb2.SavedModel.FromString(content)
    except (DecodeError, RuntimeError) as error:
        raise DataError(
            f"{where}: is a damaged SavedModel: {error}", code="source.damaged"
        ) from error
    _check_lambdas(metadata, where)
    graphs = [graph for graph in model.meta_graphs if "serve" in graph.meta_info_def.tags]
    if len(graphs) != 1 or not graphs[0].object_graph_def.nodes:
        raise DataError(
            f"{where}: is no SavedModel of TensorFlow 2 with one network to serve",
            hint="save it again with model.export() or tf.saved_model.save",
            code="source.format",
        )
    graph = graphs[0]
    _check_objects(graph, where)
    key = _choose(graph.signature_def, where)
    _check_operators(graph, key, where)
    return key


def _copy(folder: Path, goal: Path) -> tuple[bytes, bytes]:
    """Copy the parts of a SavedModel that a network needs, so that what was vetted is loaded.

    Returns:
        ``saved_model.pb`` and ``keras_metadata.pb``, the second empty where there is none.

    Raises:
        MissingInput: it cannot be read.
        DataError: a part is a link, or it is too large, or it needs further files.
    """
    assets = folder / "assets"
    if assets.is_dir() and any(assets.iterdir()):
        raise DataError(
            f"{folder}: needs files of its own ({assets.name}), which a network does not",
            code="source.outside",
        )
    parts = [folder / _FILE, *sorted((folder / "variables").glob("variables.*"))]
    if any(part.is_symlink() for part in (*parts, folder / "variables")):
        raise DataError(f"{folder}: has a link in place of a file", code="source.outside")
    if sum(part.stat().st_size for part in parts if part.exists()) > MAX_BYTES:
        raise DataError(f"{folder}: is larger than {MAX_BYTES} bytes", code="source.size")
    (goal / "variables").mkdir()
    content = read_bounded(folder / _FILE)
    (goal / _FILE).write_bytes(content)
    for part in parts[1:]:
        shutil.copyfile(part, goal / "variables" / part.name)
    metadata = folder / "keras_metadata.pb"
    return content, read_bounded(metadata) if metadata.is_file() else b""


def _check_lambdas(metadata: bytes, where: str) -> None:
    """Refuse a Lambda by its layer's name; its code lies in the metadata of Keras 2."""
    from google.protobuf.message import DecodeError
    from tensorflow.python.keras.protobuf import saved_metadata_pb2

    try:
        nodes = saved_metadata_pb2.SavedMetadata.FromString(metadata).nodes
    except DecodeError as error:
        raise DataError(f"{where}: keras_metadata.pb is damaged", code="source.damaged") from error
    for node in nodes:
        layer = parse_json(node.metadata.encode() or b"{}", where=f"{where}: keras_metadata.pb")
        if layer.get("class_name") == "Lambda":
            raise ConfigError(
                f"{where}: layer {layer.get('name')!r} is a Lambda, which is code; nothing was run",
                hint="build the network of Keras's own layers",
                code="keras.custom",
            )


def _check_objects(graph: Any, where: str) -> None:
    """Refuse tables, files and savers of its own: loading them runs functions of the file."""
    for node in graph.object_graph_def.nodes:
        kind = node.WhichOneof("kind")
        if kind not in _OBJECTS or node.registered_saver or node.saveable_objects:
            raise DataError(
                f"{where}: holds a {kind or 'part'} that loading it would run", code="source.code"
            )


def _choose(signatures: Mapping[str, Any], where: str) -> str:
    keys = sorted(key for key in signatures if not key.startswith("__"))
    if _SIGNATURE in keys:
        return _SIGNATURE
    if len(keys) != 1:
        raise ConfigError(
            f"{where}: has the signatures {', '.join(keys) or '(none)'} and no {_SIGNATURE}",
            hint=f"save it with the network as signature {_SIGNATURE}",
            code="source.signature",
        )
    return keys[0]


def _check_operators(graph: Any, key: str, where: str) -> None:
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    for node in _reached(functions, _roots(graph, key, where)):
        if node.op not in _OPERATORS:
            raise ConfigError(
                f"{where}: operator {node.op} ({node.name}) is not supported; nothing was run",
                hint="replace it in the network and save it again",
                code="source.operator",
            )


def _roots(graph: Any, key: str, where: str) -> list[str]:
    """Return the names of the functions that TensorFlow may run for a signature.

    That is the one the object graph has for it, which is what Python's loader takes, and every
    other that says it does the same as another: the optimiser picks among those.
    """
    nodes = graph.object_graph_def.nodes
    for name in ("signatures", key):
        child = [c.node_id for c in nodes[0].children if c.local_name == name]
        if len(child) != 1 or not 0 < child[0] < len(nodes):
            raise DataError(f"{where}: has no signature {key}", code="source.damaged")
        nodes = [nodes[child[0]], *nodes[1:]]
    name = nodes[0].bare_concrete_function.concrete_function_name
    twins = [
        f.signature.name for f in graph.graph_def.library.function if "api_implements" in f.attr
    ]
    return [name, *twins]


def _reached(functions: Mapping[str, Any], roots: list[str]) -> Iterator[Any]:
    """Yield every node of the functions, and of all that they may call."""
    seen: set[str] = set()
    while roots:
        name = roots.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in functions[name].node_def:
            yield node
            for value in node.attr.values():
                roots += [func.name for func in (value.func, *value.list.func) if func.name]
