"""Open an ONNX file as a module that is ready to be lowered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.anatomy.quiet import quiet
from edge.errors import ConfigError, UnavailableError
from export.importers.onnx.file import read_model
from export.importers.onnx.fuse import fuse
from export.importers.onnx.graph import Opening, read_graph
from export.importers.shapes import is_picture, outside, plane

if TYPE_CHECKING:
    from torch import nn

__all__ = ["OnnxNetwork", "OnnxTensor", "open_onnx"]

#: TensorProto.DataType of single and half floats; both are float32 here.
_FLOATS = (1, 10, 11, 16)


@dataclass(frozen=True, slots=True)
class OnnxTensor:
    """One input or output.

    Attributes:
        name: in the file.
        shape: as the module takes or gives it.
        dtype: always ``float32``; half and double precision are read as that.
        turned: the file has NCHW, the module takes NHWC.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    turned: bool = False


@dataclass(frozen=True, slots=True)
class OnnxNetwork:
    """A network, ready to be lowered.

    Attributes:
        module: in ``eval`` mode. Takes one tensor an input and gives a tensor, or a tuple of them.
            An input ``[1, C, H, W]`` with 1, 3 or 4 channels is a picture and is taken as
            ``[1, H, W, C]``; everything else, and every output, has the file's own layout.
        inputs: in the order of the file; those that nothing reads are left out.
        outputs: in the order of the file.
        operators: how often each operator occurs among the nodes that the outputs need.
    """

    module: nn.Module
    inputs: tuple[OnnxTensor, ...]
    outputs: tuple[OnnxTensor, ...]
    operators: Mapping[str, int]


def open_onnx(path: Path, *, input_hw: tuple[int, int] | None = None) -> OnnxNetwork:
    """Read an ONNX file; nothing in it is executed.

    An open batch becomes 1. A network of a fixed size is given another one if every node takes it
    and none of them is made for the old one.

    Args:
        path: the file; external data is read from its folder only.
        input_hw: height and width of the pictures; needed where the file leaves them open.

    Raises:
        MissingInput: there is no such file.
        UnavailableError: onnx or PyTorch is not installed.
        ConfigError: an operator is not supported, or a node does not take the size; named.
        DataError: the file is damaged or too large, or its weights are not finite.
    """
    graph = read_graph(read_model(path), path)
    operators = Counter(node.op for node in graph.nodes)
    graph = fuse(graph)
    try:
        with quiet():
            from export.importers.onnx.module import OnnxModule
            from export.importers.onnx.plan import make_plan
            from export.importers.onnx.resized import check_resized
    except ImportError as error:
        raise UnavailableError(
            f"{path}: reading it needs {error.name}",
            hint="pip install unveil-edge[export]",
            code="export.torch",
        ) from error
    shapes = {o.name: _shape(o, input_hw, path) for o in graph.inputs}
    plan = make_plan(graph, shapes, path)
    own = {o.name: _shape(o, None, path) for o in graph.inputs if all(o.dims[1:])}
    if len(own) == len(shapes) and own != shapes:
        check_resized(make_plan(graph, own, path), plan)
    pictures = [is_picture(o.dims) for o in graph.inputs]
    names = [o.name for o in graph.inputs]
    return OnnxNetwork(
        module=OnnxModule(plan.operations, names, pictures, graph.outputs).eval(),
        inputs=tuple(
            OnnxTensor(name, outside(shapes[name]), turned=picture)
            for name, picture in zip(names, pictures, strict=True)
        ),
        outputs=tuple(OnnxTensor(name, plan.shapes[name]) for name in graph.outputs),
        operators=dict(sorted(operators.items())),
    )


def _shape(opening: Opening, input_hw: tuple[int, int] | None, path: Path) -> tuple[int, ...]:
    """Return an input's shape in the file's layout."""
    what = f"{path}: input {opening.name!r}"
    if opening.kind not in _FLOATS or not opening.dims:
        raise ConfigError(
            f"{what} is no tensor of floats",
            hint="export it with float inputs",
            code="source.dtype",
        )
    dims = [opening.dims[0] or 1, *opening.dims[1:]]
    picture = plane(opening.dims)
    if picture and input_hw:
        dims[picture] = input_hw
    shape = tuple(n for n in dims if n is not None)
    if len(shape) < len(dims):
        open_ones = [n or "?" for n in opening.dims]
        raise ConfigError(
            f"{what} has dynamic shapes without a size: {open_ones}",
            hint="give its height and width with --imgsz HxW",
            code="source.open",
        )
    return shape
