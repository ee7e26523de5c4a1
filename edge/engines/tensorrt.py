"""TensorRT engines that this device built for itself, on its GPU or deep-learning accelerator.

An engine file is made by ``edge-export build`` from a bundle's ONNX file, see ``cache``. TensorRT
8.5 to 11 are served; the names of tensors are those of the contract.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, NoReturn

from numpy.typing import NDArray

from edge.contract import Contract, TensorSpec
from edge.engines.base import refuse
from edge.engines.cuda import Gpu, Graph, Memory, Stream, open_gpu
from edge.engines.plans import import_tensorrt
from edge.engines.tensorrt_calls import calls_of, quiet_log
from edge.errors import BundleError
from edge.owned import Owned

__all__ = ["TensorRTEngine"]


class TensorRTEngine(Owned):
    """One engine, its execution context, its own stream, and buffers that are made once.

    Page-locked inputs are copied in, run and copied out in the stream; where the CUDA library can
    record that, one launch does it all. It may be opened, run and closed in different threads, one
    at a time.

    Args:
        plan: the engine's bytes; from ``EngineCache`` only, for they are executable code.
        contract: what its tensors mean; the engine is held against it.
        where: the ONNX file's name, for messages.
        graph: record a CUDA graph.

    Attributes:
        library: of CUDA: ``pycuda`` or ``cuda-python``.

    Raises:
        UnavailableError: there is no GPU, no TensorRT, no library of CUDA, or too little memory.
        BundleError: the engine is not the contract's, or TensorRT refuses it.
    """

    def __init__(self, plan: bytes, contract: Contract, *, where: str, graph: bool = True) -> None:
        self.name = "tensorrt"
        self.inputs: tuple[NDArray[Any], ...] = ()
        self.outputs: tuple[NDArray[Any], ...] = ()
        self._where = where
        self._graph: Graph | None = None
        self._stream: Stream | None = None
        self._memories: list[Memory] = []
        # Logger, runtime, engine, context, calls: each needs those before it.
        self._parts: list[Any] = []
        # Before anything of TensorRT: without a device its runtime ends the process.
        self._gpu: Gpu | None = open_gpu()
        self.library = self._gpu.library
        with ExitStack() as undo:
            undo.callback(self.close)
            trt = import_tensorrt()
            with self._gpu.active():
                self._load(trt, plan)
                self._match(trt, contract)
                self._make_buffers(self._gpu, contract)
                if graph:
                    self._record()
            undo.pop_all()

    @property
    def recorded(self) -> bool:
        """Whether a CUDA graph runs."""
        return self._graph is not None

    def run(self) -> None:
        """Compute ``outputs`` from ``inputs``.

        Raises:
            UnavailableError: the GPU fails.
            BundleError: TensorRT refuses to run the engine.
        """
        assert self._gpu is not None and self._stream is not None, "the engine was closed"
        with self._gpu.active():
            if self._graph is None:
                self._queue()
            else:
                self._graph.launch()
            self._stream.wait()

    def close(self) -> None:
        """Free everything, from what depends to what it depends on; a second call does nothing."""
        gpu, self._gpu = self._gpu, None
        if gpu is None:
            return
        try:
            with gpu.active():
                self._free()
        finally:
            gpu.close()

    def _free(self) -> None:
        if self._stream is not None:
            self._stream.wait()
        if self._graph is not None:
            self._graph.free()
        while self._parts:
            self._parts.pop()
        while self._memories:
            self._memories.pop().free()
        if self._stream is not None:
            self._stream.free()
        self._graph = self._stream = None
        self.inputs = self.outputs = ()

    def _load(self, trt: Any, plan: bytes) -> None:
        """Wake the engine; the parts stay in the order in which they need one another."""
        self._parts.append(quiet_log(trt))
        self._parts.append(trt.Runtime(self._parts[0]))
        self._parts.append(self._checked(self._parts[1].deserialize_cuda_engine(plan)))
        self._parts.append(self._checked(self._parts[2].create_execution_context()))
        self._parts.append(calls_of(self._parts[2], self._parts[3]))

    def _checked(self, made: Any) -> Any:
        """Return what TensorRT made, or raise what it said instead."""
        if made is None:
            self._refuse("refuses the engine")
        return made

    def _refuse(self, what: str) -> NoReturn:
        raise BundleError(
            f"{self._where}: TensorRT {what}: {self._parts[0].last}",
            hint="build it again with: edge-export build BUNDLE --force",
            code="engine.tensorrt",
        )

    def _match(self, trt: Any, contract: Contract) -> None:
        """Hold every tensor of the engine against the contract."""
        specs = {spec.name: spec for spec in (*contract.inputs, *contract.outputs)}
        found = self._parts[4].tensors(trt)
        if sorted(found) != sorted(specs):
            raise refuse(
                self._where, f"has tensors {sorted(found)} and its contract names {sorted(specs)}"
            )
        given = {spec.name for spec in contract.inputs}
        for name, spec in specs.items():
            is_input, shape, dtype = found[name]
            if is_input != (name in given) or shape != spec.shape or dtype != spec.dtype:
                kind = "input" if is_input else "output"
                raise refuse(
                    self._where,
                    f"{name} is an {kind}, {dtype} {list(shape)}, in its contract {spec.dtype} "
                    f"{list(spec.shape)}",
                )

    def _make_buffers(self, gpu: Gpu, contract: Contract) -> None:
        """Make a page-locked array and its place on the GPU for every tensor."""

        def host(specs: tuple[TensorSpec, ...]) -> tuple[NDArray[Any], ...]:
            return tuple(gpu.page_locked(spec.shape, spec.dtype) for spec in specs)

        self._stream = gpu.stream()
        self.inputs, self.outputs = host(contract.inputs), host(contract.outputs)
        specs = (*contract.inputs, *contract.outputs)
        for spec, array in zip(specs, (*self.inputs, *self.outputs), strict=True):
            self._memories.append(gpu.allocate(array.nbytes))
            self._parts[4].place(spec.name, self._memories[-1].address)

    def _record(self) -> None:
        """Run once, as recording demands (TensorRT developer guide, "CUDA Graphs"), and record."""
        assert self._stream is not None
        self._queue()
        self._stream.wait()
        self._graph = self._stream.record(self._queue)

    def _queue(self) -> None:
        """Queue the copies in, the network, the copies out."""
        assert self._stream is not None
        count = len(self.inputs)
        for memory, array in zip(self._memories[:count], self.inputs, strict=True):
            self._stream.copy_in(memory, array)
        if not self._parts[4].enqueue(self._stream.handle):
            self._refuse("does not run the engine")
        for memory, array in zip(self._memories[count:], self.outputs, strict=True):
            self._stream.copy_out(array, memory)
