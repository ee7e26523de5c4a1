"""Look at a network file and say what it takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.anatomy.graph import Graph, read_graph
from edge.errors import ConfigError, MissingInput
from export.importers.source import find_source
from export.importers.weights import KINDS as WEIGHTS
from export.importers.weights import find_weights, read_weights

if TYPE_CHECKING:
    from torch import nn

__all__ = ["End", "Seen", "look"]

#: Sizes that are tried where a network takes more than one, those that many networks take first.
_SIZES = (112, 128, 224, 64, 96, 160, 320, 48, 256, 299)
_KINDS = {
    "onnx": "ONNX",
    "program": "PyTorch's exported program",
    "keras": "Keras",
    "tflite": "float TFLite",
}
#: Formats that are lowered through PyTorch, where an output is turned for nothing.
_TURNING = ("onnx", "program")


@dataclass(frozen=True, slots=True)
class End:
    """One input or output.

    Attributes:
        name: in the file, or a number.
        shape: as the float program has it.
        operator: of TFLite, that reads an input or makes an output; empty where it is not known.
    """

    name: str
    shape: tuple[int, ...]
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a network is.

    Attributes:
        kind: its format, in words.
        files: what has to lie beside the card; the first is the network.
        inputs, outputs: in the order of the float program.
        sizes: where the size was not given by the file, those it was seen to run at, HxW.
        turns: an output with channels first can be turned when its card says what it is.
    """

    kind: str
    files: tuple[Path, ...]
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    sizes: tuple[str, ...] = ()
    turns: bool = False


def look(path: Path, *, input_hw: tuple[int, int] | None = None) -> Seen:
    """Open a network of any format that is read and describe it.

    Args:
        path: of a network, of ``net.py``, or of weights with ``net.py`` beside them.
        input_hw: height and width for a network that leaves them open; some are tried otherwise.

    Raises:
        EdgeError: what the reader of the format raises.
    """
    if path.suffix in WEIGHTS or path.name == "net.py":
        return _look_at_recipe(path, input_hw)
    source = find_source(path, size_hw=input_hw)
    reader = {"onnx": _look_at_onnx, "program": _look_at_program}.get(source.kind, _look_at_tflite)
    kind, turns = _KINDS[source.kind], source.kind in _TURNING
    try:
        inputs, outputs = reader(path, input_hw)
        return Seen(kind, (path,), inputs, outputs, turns=turns)
    except ConfigError as error:
        if error.code != "source.open" or input_hw:
            raise
        refusal = error
    for size in sorted(_SIZES, reverse=True):
        try:
            inputs, outputs = reader(path, (size, size))
        except ConfigError:
            continue
        return Seen(kind, (path,), inputs, outputs, (f"{size}x{size}",), turns)
    raise refusal


_Ends = tuple[tuple[End, ...], tuple[End, ...]]


def _look_at_onnx(path: Path, input_hw: tuple[int, int] | None) -> _Ends:
    from export.importers.onnx import open_onnx

    network = open_onnx(path, input_hw=input_hw)
    return _ends(network.inputs), _ends(network.outputs)


def _look_at_program(path: Path, input_hw: tuple[int, int] | None) -> _Ends:
    from export.importers.program import open_program

    network = open_program(path, input_hw=input_hw)
    return _ends(network.inputs), _ends(network.outputs)


def _look_at_tflite(path: Path, input_hw: tuple[int, int] | None) -> _Ends:
    """Look at the float program itself, which Keras's networks become within seconds."""
    content = find_source(path, size_hw=input_hw).load()
    graph = read_graph(content, where=str(path))
    return (
        tuple(_end(graph, i, graph.consumers(i)) for _, i in graph.inputs),
        tuple(_end(graph, i, [graph.producer(i)]) for _, i in graph.outputs),
    )


def _ends(tensors: Sequence[Any]) -> tuple[End, ...]:
    return tuple(End(tensor.name, tensor.shape) for tensor in tensors)


def _end(graph: Graph, index: int, nodes: Sequence[Any]) -> End:
    operators = {node.op for node in nodes if node is not None}
    tensor = graph.tensors[index]
    return End(tensor.name, tensor.shape, operators.pop() if len(operators) == 1 else "")


def _look_at_recipe(path: Path, input_hw: tuple[int, int] | None) -> Seen:
    """Build ``net.py``, load its weights, and find the size by trying."""
    from export.importers.load import build_network

    program = path.parent / "net.py"
    if not program.is_file():
        raise MissingInput(
            f"{path}: holds weights, and {program} is not there to say of which network",
            hint="write net.py with a function build() that returns the network",
            code="recipe.missing",
        )
    weights = path if path != program else find_weights(path.parent)
    network = build_network(program)
    network.load_state_dict(read_weights(weights, network))
    channels = _channels(network, program)
    tried = [input_hw] if input_hw else [(size, size) for size in _SIZES]
    found = [(hw, ends) for hw in tried if (ends := _run(network.eval(), channels, hw)) is not None]
    if not found:
        raise ConfigError(
            f"{program}: does not run on pictures [1, H, W, {channels}] of "
            f"{', '.join(f'{h}x{w}' for h, w in tried)}",
            hint="it takes channels last: let forward() begin with x.permute(0, 3, 1, 2), and give "
            "another size with --imgsz HxW",
            code="recipe.size",
        )
    (_, (inputs, outputs)), sizes = found[0], tuple(f"{h}x{w}" for (h, w), _ in found)
    return Seen("PyTorch", (program, weights), inputs, outputs, sizes if len(sizes) > 1 else ())


def _channels(network: nn.Module, program: Path) -> int:
    """Return how many channels the first convolution reads."""
    from torch import nn

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    raise ConfigError(f"{program}: has no convolution, so it takes no picture", code="recipe.size")


def _run(network: nn.Module, channels: int, hw: tuple[int, int]) -> _Ends | None:
    """Return what goes in and comes out at a size, or None; nothing is computed.

    A network that reads four channels takes them as one picture, or as a picture and a map.
    """
    import torch

    meta = network.to("meta")
    for split in ((channels,), (channels - 1, 1)):
        shapes = [(1, *hw, n) for n in split]
        # A network raises whatever its layers raise.
        try:
            with torch.no_grad():
                found = meta(*(torch.empty(shape, device="meta") for shape in shapes))
        except Exception:
            continue
        results = found if isinstance(found, (tuple, list)) else (found,)
        if all(isinstance(result, torch.Tensor) for result in results):
            return (
                tuple(End(str(i), shape) for i, shape in enumerate(shapes)),
                tuple(End(str(i), tuple(result.shape)) for i, result in enumerate(results)),
            )
    return None
