"""Open an exported program, ``.pt2``, without unpickling or evaluating anything of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.anatomy.quiet import quiet
from edge.errors import ConfigError, DataError, UnavailableError
from export.importers.safety import Archive, parse_json, read_bounded
from export.importers.shapes import is_picture, outside, plane

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Port", "Program", "open_program"]

#: Major number of the schema that PyTorch 2.8 to 2.13 write.
_SCHEMA = 8
_FLOAT32 = 7


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output: its name in the file, and its shape as the module takes or gives it."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A network, ready to be lowered.

    Attributes:
        module: takes and gives float32. A picture ``[1, C, H, W]`` with 1, 3 or 4 channels is
            taken as ``[1, H, W, C]``; everything else, and every output, has the file's own axes.
        inputs, outputs: in the order of its arguments and results.
    """

    module: nn.Module
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the inputs."""
        return tuple(port.shape for port in self.inputs)


def open_program(path: Path, *, input_hw: tuple[int, int] | None = None) -> Program:
    """Read what ``torch.export.save`` wrote.

    Example inputs, guards and extra files in it are left alone. A batch is 1.

    Args:
        path: the file.
        input_hw: height and width for pictures whose size the program leaves open.

    Raises:
        MissingInput: there is no such file.
        DataError: it is damaged or too large, or holds compiled code, pickled weights, or weights
            that are not finite.
        ConfigError: an operator is not supported, a size is missing, or it is in training mode.
        UnavailableError: PyTorch is not installed.
    """
    where = str(path)
    with Archive(read_bounded(path), where=where) as archive:
        root, model = _find(archive, where)
        try:
            with quiet():
                from export.importers.program_weights import read_tensors
        except ImportError as error:
            raise UnavailableError(
                f"{path}: reading it needs {error.name}",
                hint="pip install unveil-edge[export]",
                code="export.torch",
            ) from error
        table = parse_json(archive.read(f"{root}models/{model}.json"), where=where)
        try:
            _check_schema(table, where)
            tensors = read_tensors(archive, root, model, where=where)
            return _build(table["graph_module"], tensors, where, input_hw)
        except (
            KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError,
        ) as error:  # fmt: skip
            raise DataError(
                f"{where}: is a damaged program: {type(error).__name__}: {error}",
                code="source.damaged",
            ) from error


def _find(archive: Archive, where: str) -> tuple[str, str]:
    """Return the folder within the archive and the program's name; refuse what carries code."""
    roots = [
        n.removesuffix("archive_format") for n in archive.names if n.endswith("/archive_format")
    ]
    root = roots[0] if roots else "/"
    if any(name.startswith(f"{root}data/aotinductor/") for name in archive.names):
        raise DataError(
            f"{where}: holds a compiled library, which is code",
            hint="write it with torch.export.save",
            code="source.code",
        )
    models = [n for n in archive.names if n.startswith(f"{root}models/") and n.endswith(".json")]
    if len(models) != 1:
        raise DataError(
            f"{where}: is no program that torch.export.save of PyTorch 2.8 or later wrote",
            hint="load it with the PyTorch that wrote it and export it again with 2.13",
            code="source.format",
        )
    return root, Path(models[0]).stem


def _check_schema(table: Mapping[str, Any], where: str) -> None:
    major = table["schema_version"]["major"]
    if major != _SCHEMA:
        raise DataError(
            f"{where}: was written by PyTorch {table.get('torch_version')} in schema {major}, and "
            f"schema {_SCHEMA} is read",
            hint="export it again with PyTorch 2.13",
            code="source.format",
        )


def _build(
    module: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    where: str,
    input_hw: tuple[int, int] | None,
) -> Program:
    from export.importers.aten import ExportedNetwork
    from export.importers.layout import ChannelsLast
    from export.importers.program_graph import read_steps

    graph, signature = module["graph"], module["signature"]
    names, weights = _inputs(signature["input_specs"], tensors, where)
    results = _outputs(signature["output_specs"], where)
    network = ExportedNetwork(
        read_steps(graph["nodes"], where=where), weights, names, results
    ).eval()
    values = graph["tensor_values"]
    shapes = [_shape(name, values[name], where, input_hw) for name in names]
    found = network.shapes(shapes, where=where)
    pictures = [is_picture(shape) for shape in shapes]
    return Program(
        module=ChannelsLast(network, pictures, [False] * len(found)).eval(),
        inputs=tuple(Port(name, outside(shape)) for name, shape in zip(names, shapes, strict=True)),
        outputs=tuple(
            Port(name, shape) for name, shape in zip(_keys(module, results), found, strict=True)
        ),
    )


def _inputs(
    specs: Sequence[Mapping[str, Any]], tensors: Mapping[str, Tensor], where: str
) -> tuple[list[str], dict[str, Tensor]]:
    """Return the names of the arguments, and the weights by their names in the steps."""
    names: list[str] = []
    weights = {}
    for spec in specs:
        ((kind, body),) = spec.items()
        if kind in ("parameter", "buffer", "tensor_constant"):
            weights[body["arg"]["name"]] = tensors[body[f"{kind}_name"]]
        elif kind == "user_input" and "as_tensor" in body["arg"]:
            names.append(body["arg"]["as_tensor"]["name"])
        elif kind != "constant_input":
            raise ConfigError(f"{where}: takes a {kind} that is no tensor", code="source.operator")
    if not names:
        raise ConfigError(f"{where}: takes no tensor", code="source.operator")
    return names, weights


def _outputs(specs: Sequence[Mapping[str, Any]], where: str) -> list[str]:
    """Return the names of the results in the steps."""
    names = []
    for spec in specs:
        ((kind, body),) = spec.items()
        if kind != "user_output":
            raise ConfigError(
                f"{where}: changes its own weights ({kind})",
                hint="call .eval() on the network and export it again",
                code="source.training",
            )
        if "as_none" not in body["arg"]:
            names.append(body["arg"]["as_tensor"]["name"])
    return names


def _shape(
    name: str, value: Mapping[str, Any], where: str, input_hw: tuple[int, int] | None
) -> tuple[int, ...]:
    """Fix the sizes of an argument: a batch of 1, and height and width as they are asked for."""
    if value["dtype"] != _FLOAT32:
        raise ConfigError(
            f"{where}: input {name} is not float32",
            hint="export the network with float32 inputs",
            code="source.dtype",
        )
    sizes = [int(size.get("as_int", 0)) for size in value["sizes"]]
    if len(sizes) > 1:
        if sizes[0] > 1:
            raise ConfigError(
                f"{where}: input {name} is a batch of {sizes[0]}",
                hint="export the network with a batch of 1",
                code="source.batch",
            )
        sizes[0] = 1
    if input_hw and (picture := plane(tuple(sizes))):
        sizes[picture] = [n or want for n, want in zip(sizes[picture], input_hw, strict=True)]
        if tuple(sizes[picture]) != input_hw:
            raise ConfigError(
                f"{where}: input {name} is {sizes}, and {input_hw[0]}x{input_hw[1]} was asked for",
                code="source.size",
            )
    if not all(sizes):
        raise ConfigError(
            f"{where}: input {name} leaves sizes open: {[n or '?' for n in sizes]}",
            hint="give its height and width with --imgsz HxW",
            code="source.open",
        )
    return tuple(sizes)


def _keys(module: Mapping[str, Any], results: Sequence[str]) -> Sequence[str]:
    """Return the keys of the dict that the network gives; of anything else the steps' names."""
    calls = module["module_call_graph"]
    tree = parse_json(
        b'{"spec": %s}' % calls[0]["signature"]["out_spec"].encode(), where="out_spec"
    )["spec"][1]
    if tree["type"] != "builtins.dict" or any(c["children_spec"] for c in tree["children_spec"]):
        return results
    keys = parse_json(b'{"keys": %s}' % tree["context"].encode(), where="out_spec")["keys"]
    return [str(key) for key in keys] if len(keys) == len(results) else results
