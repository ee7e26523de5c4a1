"""Run a TFLite network and see the value of every tensor, computed by the real kernels.

The runtime's own switch for this (``experimental_preserve_all_tensors``) shows nothing of what a
delegate keeps to itself, and without the delegate other kernels compute: on the foreign INT8
MobileFaceNet they differ from XNNPACK's by up to 20 steps. So every tensor is made an output
instead. The delegate then takes the same operators in the same pieces, and the network's own
outputs stay the same bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.base import Grid, Sample, Step, fit_sample
from benchmarks.anatomy.cut import Cutter
from benchmarks.anatomy.graph import Graph, Tensor, read_graph
from benchmarks.anatomy.quiet import quiet
from edge.errors import DataError

__all__ = ["TFLiteProbe", "grid_of", "interpreter", "made_of_inputs", "tensor_names"]

#: Dtypes of activations; the rest are shapes, indices and answers to comparisons.
_REAL = frozenset(["float16", "float32", "float64"])
_CODES = frozenset(["int8", "int16", "uint8"])
#: All tensors are kept at once.
_MAX_BYTES = 8 * 1024**3


class TFLiteProbe:
    """A TFLite network that shows every tensor that its operators make; see ``Probe``.

    Args:
        content: the file, float or quantised.
        where: its name, for messages.

    Raises:
        DataError: the file cannot be read, or the runtime refuses it.
    """

    def __init__(self, content: bytes, *, where: str) -> None:
        graph = read_graph(content, where=where)
        names = tensor_names(graph)
        self.inputs = tuple(names[i] for _, i in graph.inputs)
        self.outputs = tuple((label, names[i]) for label, i in graph.outputs)
        self.steps = tuple(
            Step(
                node.index,
                node.op,
                tuple(names[i] if i >= 0 else "" for i in node.inputs),
                tuple(names[i] for i in node.outputs if i >= 0),
            )
            for node in graph.nodes
        )
        made = dict.fromkeys([*made_of_inputs(graph), *(i for _, i in graph.outputs)])
        self._shown = [graph.tensors[i] for i in made if _is_activation(graph.tensors[i])]
        self._fed = [graph.tensors[i] for _, i in graph.inputs]
        self._grids = {
            t.index: grid for t in (*self._fed, *self._shown) if (grid := grid_of(t)) is not None
        }
        self.grids: Mapping[str, Grid] = {names[i]: grid for i, grid in self._grids.items()}
        self._names, self._where = names, where
        _bound([*self._fed, *self._shown], where)
        shown = [tensor.index for tensor in self._shown]
        self._interpreter = interpreter(Cutter(content, where=where).cut(shown), where=where)

    def run(self, sample: Sample) -> Mapping[str, NDArray[np.float32]]:
        """Compute one sample; see ``Probe.run``."""
        arrays = fit_sample(sample, [tensor.shape for tensor in self._fed], where=self._where)
        values = {}
        for tensor, real in zip(self._fed, arrays, strict=True):
            stored = self._stored(tensor, real)
            self._interpreter.set_tensor(tensor.index, stored)
            values[self._names[tensor.index]] = self._real(tensor, stored)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise DataError(
                f"{self._where}: the network does not run: {error}", code="trace.run"
            ) from error
        for tensor in self._shown:
            stored = self._interpreter.get_tensor(tensor.index)
            values[self._names[tensor.index]] = self._real(tensor, stored)
        return values

    def _stored(self, tensor: Tensor, real: NDArray[Any]) -> NDArray[Any]:
        grid = self._grids.get(tensor.index)
        return (real if grid is None else grid.codes(real)).astype(tensor.dtype)

    def _real(self, tensor: Tensor, stored: NDArray[Any]) -> NDArray[np.float32]:
        grid = self._grids.get(tensor.index)
        return stored.astype(np.float32) if grid is None else grid.real(stored)


def made_of_inputs(graph: Graph) -> list[int]:
    """Return the tensors that operators make, without those made of constants alone.

    The delegate unpacks fp16 weights once and for itself; their tensors are never written.
    """
    known = {tensor.index for tensor in graph.tensors if tensor.data is not None}
    made: dict[int, None] = {}
    for node in graph.nodes:
        outputs = [i for i in node.outputs if i >= 0]
        if node.inputs and all(i < 0 or i in known for i in node.inputs):
            known.update(outputs)
        else:
            made.update(dict.fromkeys(outputs))
    return list(made)


def tensor_names(graph: Graph) -> tuple[str, ...]:
    """Return a name for each tensor that no other has; a foreign file may repeat itself."""
    names: list[str] = []
    taken: set[str] = set()
    for tensor in graph.tensors:
        name = tensor.name
        while not name or name in taken:
            name = f"{name}#{tensor.index}"
        taken.add(name)
        names.append(name)
    return tuple(names)


def grid_of(tensor: Tensor) -> Grid | None:
    """Return the values that a tensor can take; None for real numbers and channelwise scales."""
    found = tensor.quantisation
    if found is None or found.scale.size != 1 or tensor.dtype not in _CODES:
        return None
    ends = np.iinfo(tensor.dtype)
    return Grid(float(found.scale[0]), int(found.zero_point[0]), int(ends.min), int(ends.max))


def interpreter(content: bytes, *, where: str, threads: int = 1) -> Any:
    """Open a file in the device's runtime: the delegate on, tensors allocated.

    Raises:
        DataError: the runtime refuses the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        with quiet():
            machine = Interpreter(model_content=content, num_threads=threads)
            machine.allocate_tensors()
    except (ValueError, RuntimeError, MemoryError) as error:
        raise DataError(
            f"{where}: the runtime refuses this TFLite network: {error}", code="trace.open"
        ) from error
    return machine


def _bound(tensors: Iterable[Tensor], where: str) -> None:
    """Refuse a network whose tensors do not fit into memory side by side.

    Raises:
        DataError: they are too large.
    """
    size = sum(math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize for tensor in tensors)
    if size > _MAX_BYTES:
        raise DataError(
            f"{where}: its tensors take {size / 2**30:.0f} GiB side by side, at most "
            f"{_MAX_BYTES / 2**30:.0f} are looked at",
            code="trace.size",
        )


def _is_activation(tensor: Tensor) -> bool:
    return tensor.dtype in _REAL or (tensor.dtype in _CODES and tensor.quantisation is not None)
