"""Run a float TFLite network and read what any of its tensors holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.graph import Graph, Tensor
from benchmarks.anatomy.quiet import quiet
from edge.errors import DataError, UnavailableError

__all__ = ["Runner", "Sample"]

#: Inputs of one run: float32 real values in the order of ``Graph.inputs``.
Sample = tuple[NDArray[np.float32], ...]


class Runner:
    """One float network under LiteRT, with every tensor kept.

    XNNPACK stays on: with all tensors preserved it fuses nothing away. Against the plain kernels
    all values agree within 4e-6 of the greatest, and it is 2 to 5 times as fast.

    Args:
        content: the file.
        graph: of that file.
        where: its name, for messages.

    Raises:
        UnavailableError: LiteRT is not installed.
        DataError: it does not take the file.
    """

    def __init__(self, content: bytes, graph: Graph, where: str) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ImportError as error:
            raise UnavailableError(
                "calibrating needs LiteRT",
                hint="pip install unveil-edge[export]",
                code="engine.library",
            ) from error
        self._graph, self._where = graph, where
        try:
            with quiet():
                self._interpreter = Interpreter(
                    model_content=content,
                    num_threads=1,
                    experimental_op_resolver_type=OpResolverType.BUILTIN,
                    experimental_preserve_all_tensors=True,
                )
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise self._refuse(error) from error

    def run(self, sample: Sample, number: int) -> None:
        """Compute everything for one sample.

        Args:
            sample: one array an input.
            number: of the sample, for messages.

        Raises:
            DataError: the sample does not fit, or the network does not run.
        """
        inputs = [self._graph.tensors[index] for _, index in self._graph.inputs]
        wanted = [(list(tensor.shape), tensor.dtype) for tensor in inputs]
        if [(list(a.shape), a.dtype.name) for a in sample] != wanted:
            raise DataError(
                f"{self._where}: sample {number} is "
                f"{', '.join(f'{a.dtype.name} {list(a.shape)}' for a in sample)} and the network "
                f"takes {', '.join(f'{dtype} {shape}' for shape, dtype in wanted)}",
                code="ranges.sample",
            )
        try:
            for tensor, array in zip(inputs, sample, strict=True):
                self._interpreter.set_tensor(tensor.index, array)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise self._refuse(error) from error

    def read(self, tensor: Tensor) -> NDArray[np.float32]:
        """Return a tensor's values: float32 in new memory."""
        values: NDArray[np.float32] = self._interpreter.get_tensor(tensor.index)
        return values

    def _refuse(self, error: Exception) -> DataError:
        return DataError(f"{self._where}: does not run: {error}", code="tflite.run")
