"""Engines run artefacts; each imports its own library inside its own file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edge.errors import BundleError, UsageError

if TYPE_CHECKING:
    from edge.bundle import Artefact
    from edge.engines.base import Engine

__all__ = ["ENGINES", "MADE_FOR", "made_for", "open_engine"]

#: What a network can run on, each with the engine that a bundle names for the files it runs:
#: TensorRT's own files are built on the device from those of ONNX Runtime.
MADE_FOR: Mapping[str, str] = {
    "tflite": "tflite",
    "onnxruntime": "onnxruntime",
    "tensorrt": "onnxruntime",
    "null": "null",
}
ENGINES = tuple(MADE_FOR)


def open_engine(
    artefact: Artefact, *, threads: int = 1, engine: str | None = None, dla: str = ""
) -> Engine:
    """Open an artefact on the engine that it was made for.

    Args:
        artefact: from a bundle.
        threads: of the engine, at least 1.
        engine: take this one instead; ``null`` runs any artefact and writes zeros, ``tensorrt``
            runs what this device built from an ONNX artefact.
        dla: of ``tensorrt``: number of the deep-learning accelerator that it was built for; empty
            for the GPU.

    Raises:
        UsageError: no engine has this name, or ``threads`` is below 1.
        UnavailableError: the engine's library is not installed, or TensorRT's engine not built.
        BundleError: the file is no network of this engine or not what its contract says.
    """
    if threads < 1:
        raise UsageError(f"{threads} threads cannot run a network", hint="give at least 1")
    name = engine or artefact.engine
    if name == "tflite":
        from edge.engines.tflite import TFLiteEngine

        return TFLiteEngine(
            artefact.content, artefact.contract, threads=threads, where=artefact.where
        )
    if name == "onnxruntime":
        from edge.engines.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(
            artefact.content, artefact.contract, threads=threads, where=artefact.where
        )
    if name == "null":
        from edge.engines.null import NullEngine

        return NullEngine(artefact.contract)
    if name == "tensorrt":
        return _open_built(artefact, dla)
    raise UsageError(
        f"no engine is called {name!r}", hint=f"there are {', '.join(ENGINES)}",
        code="engine.name",
    )  # fmt: skip


def _open_built(artefact: Artefact, dla: str) -> Engine:
    """Open what this device built from an ONNX artefact; what TensorRT refuses is thrown away."""
    from edge.engines.cache import EngineCache
    from edge.engines.plans import find_plan, no_plan
    from edge.engines.tensorrt import TensorRTEngine

    cache, where, precision = EngineCache(), artefact.where, artefact.precision
    plan, target = find_plan(cache, artefact.sha256, where=where, precision=precision, dla=dla)
    try:
        return TensorRTEngine(plan, artefact.contract, where=where, dla=dla)
    except BundleError as error:
        if error.code != "engine.refused":
            raise
        # What makes an engine foreign is more than anybody can put into its name.
        cache.drop(artefact.sha256, target)
        raise no_plan(target, error.what, where, precision) from error


def made_for(engine: str | None) -> str | None:
    """Return whose artefacts an engine runs; None where that is left open: ``null`` runs any."""
    return None if engine in (None, "null") else MADE_FOR.get(engine, engine)
