"""Cut a TFLite network short, or let it show tensors that it would keep to itself."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmarks.anatomy.flatbuffer import pack, unpack

__all__ = ["Cutter"]


class Cutter:
    """A TFLite file, ready to be copied with fewer operators and other outputs.

    Tensors keep their indices, so that what a copy computes is found under the original's number.

    Args:
        content: the file.
        where: its name, for messages.

    Raises:
        DataError: the file cannot be read.
    """

    def __init__(self, content: bytes, *, where: str) -> None:
        self._model = unpack(content, where=where)
        self._operators = list(self._model.subgraphs[0].operators or ())
        self._stored = [buffer.data for buffer in self._model.buffers]
        # Names of arguments belong to the original's outputs, remarks to its buffers.
        self._model.signatureDefs = []
        self._model.metadata = []

    def cut(self, outputs: Iterable[int], *, operators: int | None = None) -> bytes:
        """Copy the network.

        Args:
            outputs: tensor indices that the copy gives, in this order.
            operators: how many of the first it keeps; all unless given.

        Returns:
            TFLite file without signature, with all of the original's inputs.
        """
        subgraph = self._model.subgraphs[0]
        subgraph.operators = self._operators[:operators]
        subgraph.outputs = np.array(list(outputs), np.int32)
        self._keep_what_is_read()
        return pack(self._model)

    def _keep_what_is_read(self) -> None:
        """Leave out the constants of operators that are gone."""
        subgraph = self._model.subgraphs[0]
        read = {int(i) for op in subgraph.operators for i in op.inputs if i >= 0}
        read |= {int(i) for i in subgraph.outputs}
        wanted = {subgraph.tensors[i].buffer for i in read}
        for index, buffer in enumerate(self._model.buffers):
            buffer.data = self._stored[index] if index in wanted else None
