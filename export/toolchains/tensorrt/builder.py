"""Build one engine with TensorRT, in this process; ``build`` does it in one of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge.errors import UnavailableError
from export.toolchains.tensorrt.batch import open_batch
from export.toolchains.tensorrt.built import Built, DlaShare
from export.toolchains.tensorrt.generation import Generation, generation_of
from export.toolchains.tensorrt.layers import PlanLayer, read_layers
from export.toolchains.tensorrt.messages import kept_log, not_built, not_read

__all__ = ["Options", "build_here"]

_MIB = 1024 * 1024
#: A phase of the builder tells of itself at most so often.
_TELL_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """How an engine is built.

    Attributes:
        precision: that the ONNX file is written in: ``int8`` (explicit Q/DQ), ``fp16``, ``fp32``.
        workspace_mib: the builder's memory pool.
        dla: number of the deep-learning accelerator; None for the GPU. Layers that it does not
            take fall back to the GPU.
        batch: faces at once, if every layer allows it. The accelerator takes one.
    """

    precision: str
    workspace_mib: int
    dla: int | None = None
    batch: int = 1


def build_here(
    trt: Any,
    onnx: bytes,
    options: Options,
    *,
    timing: bytes,
    where: str,
    say: Callable[[str], None],
) -> Built:
    """Build an engine.

    Args:
        trt: the module ``tensorrt``; a device is there.
        onnx: the file.
        options: see there.
        timing: what an earlier build measured here; empty without one.
        where: the network's name, for messages.
        say: takes a line of progress.

    Raises:
        DataError: it is no ONNX file.
        UnavailableError: TensorRT lacks an operator, a kernel, or the accelerator.
    """
    begun = time.monotonic()
    log, generation = kept_log(trt), generation_of(str(trt.__version__))
    builder = trt.Builder(log)
    _check_dla(builder, options, where)
    network = builder.create_network(_network_flags(trt, generation))
    # The parser owns the weights until the engine is built.
    parser = trt.OnnxParser(network, log)
    if not parser.parse(onnx):
        raise not_read(trt, parser, log, where=where)
    config = _configured(trt, builder, generation, options, say)
    _set_timing(config, timing)
    batch = _open_batch(builder, network, config, options, log)
    dla = None if options.dla is None else _dla_share(config, network)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise not_built(trt, log, where=where, workspace_mib=options.workspace_mib)
    content = bytes(plan)
    return Built(
        plan=content,
        timing=_timing_of(config),
        layers=_layers(trt, log, network, content, options, where),
        dla=dla,
        batch=batch,
        seconds=time.monotonic() - begun,
        workspace_mib=options.workspace_mib,
        warnings=tuple(log.warnings),
    )


def _check_dla(builder: Any, options: Options, where: str) -> None:
    cores = builder.num_DLA_cores
    if options.dla is not None and options.dla >= cores:
        raise UnavailableError(
            f"{where}: there is no deep-learning accelerator {options.dla}; TensorRT sees {cores}",
            hint="leave out --dla; Orin NX and AGX have two, Orin Nano and Thor none, and TensorRT "
            "10.8 to 11.3 use none",
            code="build.dla",
        )


def _network_flags(trt: Any, generation: Generation) -> int:
    flags = 0
    if generation.explicit_batch:
        flags |= 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
    if generation.strongly_typed:
        flags |= 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    return flags


def _configured(
    trt: Any,
    builder: Any,
    generation: Generation,
    options: Options,
    say: Callable[[str], None],
) -> Any:
    """Return the configuration; what a network computes in is in its graph, never here."""
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if generation.precision_flags:
        if options.precision == "int8":
            config.set_flag(trt.BuilderFlag.INT8)
        elif options.precision == "fp16":
            config.set_flag(trt.BuilderFlag.FP16)
    if options.dla is not None:
        config.default_device_type = trt.DeviceType.DLA
        config.DLA_core = options.dla
        config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
    if hasattr(config, "progress_monitor"):
        config.progress_monitor = _monitor(trt, say)
    return config


def _monitor(trt: Any, say: Callable[[str], None]) -> Any:
    """Return what the builder tells how far it is; from 10 on."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}
            self._told = time.monotonic()

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            self._steps[phase] = steps

        def phase_finish(self, phase: str) -> None:
            self._steps.pop(phase, None)

        def step_complete(self, phase: str, step: int) -> bool:
            if time.monotonic() - self._told >= _TELL_EVERY_S:
                self._told = time.monotonic()
                say(f"{phase}: {step + 1} of {self._steps.get(phase, 0)}")
            return True

    return Monitor()


def _open_batch(builder: Any, network: Any, config: Any, options: Options, log: Any) -> int:
    """Return how many faces the engine will take."""
    if options.dla is not None:
        # "DLA does not support dynamic dimensions": TensorRT, "Working with DLA".
        return 1
    said = len(log.errors)
    batch = open_batch(builder, network, config, options.batch)
    # A layer that does not allow it is no error.
    del log.errors[said:]
    return batch


def _set_timing(config: Any, timing: bytes) -> None:
    """Hand in what was measured before; TensorRT itself refuses another GPU's."""
    timing_cache = config.create_timing_cache(timing)
    if timing_cache is None or not config.set_timing_cache(timing_cache, ignore_mismatch=False):
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)


def _timing_of(config: Any) -> bytes:
    timing_cache = config.get_timing_cache()
    return b"" if timing_cache is None else bytes(timing_cache.serialize())


def _dla_share(config: Any, network: Any) -> DlaShare:
    """Ask of every layer whether the accelerator takes it."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    fallen = [str(layer.name) for layer in layers if not config.can_run_on_DLA(layer)]
    return DlaShare(len(layers), tuple(name.removeprefix("node_of_") for name in fallen))


def _layers(
    trt: Any, log: Any, network: Any, plan: bytes, options: Options, where: str
) -> tuple[PlanLayer, ...]:
    """Wake the engine once, which also shows that it wakes, and ask what is in it."""
    runtime = trt.Runtime(log)
    if options.dla is not None:
        runtime.DLA_core = options.dla
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise not_built(trt, log, where=where, workspace_mib=options.workspace_mib)
    inspector = engine.create_engine_inspector()
    text = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
    # From what depends to what it depends on.
    del inspector, engine, runtime
    names = {str(network.get_layer(index).name) for index in range(network.num_layers)}
    return read_layers(text, names, where=where)
