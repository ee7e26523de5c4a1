"""Engines run artefacts; each imports its own library inside its own file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import UsageError

if TYPE_CHECKING:
    from edge.bundle import Artefact
    from edge.engines.base import Engine

__all__ = ["ENGINES", "made_for", "open_engine"]

#: What a network can run on.
ENGINES = ("tflite", "onnxruntime", "tensorrt", "null")


def open_engine(artefact: Artefact, *, threads: int = 1, engine: str | None = None) -> Engine:
    """Open an artefact on the engine that it was made for.

    Args:
        artefact: from a bundle.
        threads: of the engine, at least 1.
        engine: take this one instead; ``null`` runs any artefact and writes zeros, ``tensorrt``
            runs what this device built from an ONNX artefact.

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
        from edge.engines.cache import EngineCache
        from edge.engines.plans import find_plan
        from edge.engines.tensorrt import TensorRTEngine

        plan = find_plan(EngineCache(), artefact.sha256, where=artefact.where)
        return TensorRTEngine(plan, artefact.contract, where=artefact.where)
    raise UsageError(
        f"no engine is called {name!r}", hint=f"there are {', '.join(ENGINES)}",
        code="engine.name",
    )  # fmt: skip


def made_for(engine: str | None) -> str | None:
    """Return which engine's artefacts an engine runs; None where it runs any.

    TensorRT's engines are built from the ONNX files that ONNX Runtime runs as they are.
    """
    return {"null": None, "tensorrt": "onnxruntime"}.get(engine or "null", engine)
