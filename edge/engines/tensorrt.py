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
from edge.engines.cuda import Gpu, Graph, Memory, Stream
from edge.engines.gpu import open_gpu
from edge.engines.plans import import_tensorrt
from edge.engines.tensorrt_calls import Calls, calls_of, quiet_log
from edge.errors import BundleError, UnavailableError
from edge.owned import Owned

__all__ = ["TensorRTEngine"]


class TensorRTEngine(Owned):
    """One engine, its execution contexts, its own stream, and buffers that are made once.

    Page-locked inputs are copied in, run and copied out in the stream; where the CUDA library can
    record that, one launch does it all: one recording for each number of faces, made when so many
    come for the first time. It may be opened, run and closed in different threads, one at a time.

    Args:
        plan: the engine's bytes; from ``EngineCache`` only, for they are executable code.
        contract: what its tensors mean; the engine is held against it.
        where: the ONNX file's name, for messages.
        graph: record a CUDA graph.
        dla: number of the accelerator that it was built for; empty for the GPU.

    Attributes:
        library: of CUDA: ``pycuda`` or ``cuda-python``.

    Raises:
        UnavailableError: there is no GPU, no TensorRT, no library of CUDA, or too little memory.
        BundleError: the engine is not the contract's, or TensorRT refuses it.
    """

    def __init__(
        self, plan: bytes, contract: Contract, *, where: str, graph: bool = True, dla: str = ""
    ) -> None:
        self.name = "tensorrt"
        self.batch = 1
        self.inputs: tuple[NDArray[Any], ...] = ()
        self.outputs: tuple[NDArray[Any], ...] = ()
        self._where = where
        #: By the number of faces; None where it could not be recorded.
        self._graphs: dict[int, Graph | None] = {}
        self._records = graph
        self._stream: Stream | None = None
        self._memories: list[Memory] = []
        # Logger, runtime, engine, calls with the contexts: each needs those before it.
        self._parts: list[Any] = []
        # Before anything of TensorRT: without a device its runtime ends the process.
        self._gpu: Gpu | None = open_gpu()
        self.library = self._gpu.library
        with ExitStack() as undo:
            undo.callback(self.close)
            trt = import_tensorrt()
            with self._gpu.active():
                self._load(trt, plan, dla)
                self._match(contract)
                self._make_buffers(self._gpu, contract)
            # An engine that does not run is found now.
            self.run()
            undo.pop_all()

    @property
    def recorded(self) -> frozenset[int]:
        """For which numbers of faces a CUDA graph runs."""
        return frozenset(count for count, graph in self._graphs.items() if graph is not None)

    def run(self, count: int = 1) -> None:
        """Compute the first ``count`` of ``outputs`` from those of ``inputs``.

        Raises:
            UnavailableError: the GPU fails.
            BundleError: TensorRT refuses to run the engine.
        """
        assert self._gpu is not None and self._stream is not None, "the engine was closed"
        assert 1 <= count <= self.batch, f"{count} faces, {self.batch} fit"
        with self._gpu.active():
            graph = self._graphs.get(count)
            if graph is None:
                self._queue(count)
            else:
                graph.launch()
            self._stream.wait()
            # Behind a run of the same shapes, as recording demands (TensorRT, "CUDA Graphs").
            if self._records and count not in self._graphs:
                self._graphs[count] = self._stream.record(lambda: self._queue(count))

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
        for graph in self._graphs.values():
            if graph is not None:
                graph.free()
        self._graphs.clear()
        while self._parts:
            self._parts.pop()
        while self._memories:
            self._memories.pop().free()
        if self._stream is not None:
            self._stream.free()
        self._stream = None
        self.inputs = self.outputs = ()

    def _load(self, trt: Any, plan: bytes, dla: str) -> None:
        """Wake the engine; the parts stay in the order in which they need one another."""
        self._parts.append(quiet_log(trt))
        try:
            self._parts.append(trt.Runtime(self._parts[0]))
        except TypeError as error:
            # So pybind11 says that there is none.
            raise UnavailableError(
                f"TensorRT {trt.__version__} does not start: {self._parts[0].last}",
                hint="see what keeps it from running with: edge-doctor gpu",
                code="tensorrt.start",
            ) from error
        if dla:
            # An engine wakes on the accelerator that its runtime is set to (IRuntime::setDLACore).
            self._parts[1].DLA_core = int(dla)
        self._parts.append(self._parts[1].deserialize_cuda_engine(plan))
        if self._parts[2] is None:
            self._refuse("refuses the engine", "engine.refused")
        self._parts.append(calls_of(trt, self._parts[2]))
        self._records = self._records and self._calls.recordable

    def _refuse(self, what: str, code: str = "engine.tensorrt") -> NoReturn:
        raise BundleError(
            f"{self._where}: TensorRT {what}: {self._parts[0].last}",
            hint="build it again with: edge-export build BUNDLE --force",
            code=code,
        )

    @property
    def _calls(self) -> Calls:
        calls: Calls = self._parts[3]
        return calls

    def _match(self, contract: Contract) -> None:
        """Hold every tensor of the engine against the contract; find how many faces it takes."""
        specs = {spec.name: spec for spec in (*contract.inputs, *contract.outputs)}
        found = self._calls.tensors()
        if sorted(found) != sorted(specs):
            raise refuse(
                self._where, f"has tensors {sorted(found)} and its contract names {sorted(specs)}"
            )
        given = {spec.name for spec in contract.inputs}
        is_open = any(tensor.most for tensor in found.values())
        for name, spec in specs.items():
            tensor = found[name]
            wanted = (name in given, (-1, *spec.shape[1:]) if is_open else spec.shape, spec.dtype)
            if (tensor.is_input, tensor.shape, tensor.dtype) != wanted:
                kind = "input" if tensor.is_input else "output"
                raise refuse(
                    self._where,
                    f"{name} is an {kind}, {tensor.dtype} {list(tensor.shape)}, in its contract "
                    f"{spec.dtype} {list(spec.shape)}",
                )
        if is_open:
            self.batch = min(found[name].most[0] for name in given)

    def _make_buffers(self, gpu: Gpu, contract: Contract) -> None:
        """Make a page-locked array and its place on the GPU for every tensor, for most faces."""

        def host(specs: tuple[TensorSpec, ...]) -> tuple[NDArray[Any], ...]:
            return tuple(
                gpu.page_locked((self.batch * spec.shape[0], *spec.shape[1:]), spec.dtype)
                for spec in specs
            )

        self._stream = gpu.stream()
        self.inputs, self.outputs = host(contract.inputs), host(contract.outputs)
        specs = (*contract.inputs, *contract.outputs)
        # No array in a local name: a traceback would keep it beyond the context.
        sizes = [array.nbytes for array in (*self.inputs, *self.outputs)]
        for spec, size in zip(specs, sizes, strict=True):
            self._memories.append(gpu.allocate(size))
            self._calls.place(spec.name, self._memories[-1].address)
        if self._calls.scratch:
            self._memories.append(gpu.allocate(self._calls.scratch))
            self._calls.lend(self._memories[-1].address)

    def _queue(self, count: int) -> None:
        """Queue the copies in, the network, the copies out, of so many faces."""
        assert self._stream is not None
        for memory, array in zip(self._memories, self.inputs, strict=False):
            self._stream.copy_in(memory, self._some(array, count))
        if not self._calls.enqueue(count, self._stream.handle):
            self._refuse("does not run the engine")
        outputs = self._memories[len(self.inputs) :]
        for memory, array in zip(outputs, self.outputs, strict=False):
            self._stream.copy_out(self._some(array, count), memory)

    def _some(self, array: NDArray[Any], count: int) -> NDArray[Any]:
        return array if count == self.batch else array[:count]
