"""Find the TensorRT engine that this device built from a bundle's ONNX file."""

from __future__ import annotations

import re
from typing import Any

from edge.board.hardware import l4t
from edge.board.system import System
from edge.engines.cache import EngineCache, Target
from edge.engines.cuda import Gpu
from edge.engines.gpu import open_gpu
from edge.errors import UnavailableError

__all__ = ["find_plan", "import_tensorrt", "no_plan", "target_of"]

#: Generations whose calls are used here.
_OLDEST, _NEWEST = (8, 5), 11


def import_tensorrt() -> Any:
    """Return the module, of a generation that is served.

    Raises:
        UnavailableError: it is not installed, or of another generation.
    """
    try:
        import tensorrt
    except (ImportError, OSError) as error:
        raise UnavailableError(
            f"the engine tensorrt needs TensorRT, which this Python does not find: {error}",
            hint="on a Jetson it belongs to the system's Python: python3 -m venv "
            "--system-site-packages ENV; see edge-doctor",
            code="tensorrt.library",
        ) from error
    said = str(tensorrt.__version__)
    number = re.match(r"(\d+)\.(\d+)", said)
    version = (int(number[1]), int(number[2])) if number else (0, 0)
    if version < _OLDEST or version[0] > _NEWEST:
        raise UnavailableError(
            f"TensorRT {said} is not served; those from 8.5 to {_NEWEST} are",
            hint="take --engine tflite, or a JetPack from 5.1 on",
            code="tensorrt.version",
        )
    return tensorrt


def target_of(gpu: Gpu, trt: Any, *, system: System | None = None, dla: str = "") -> Target:
    """Return what an engine has to be built for to run here.

    Args:
        gpu: opened.
        trt: the module.
        system: the machine; None is this one.
        dla: number of the accelerator, or empty.
    """
    return Target(
        gpu=gpu.name,
        compute=gpu.compute,
        tensorrt=str(trt.__version__),
        cuda=gpu.driver,
        l4t=l4t(system or System()) or "",
        dla=dla,
    )


def find_plan(
    cache: EngineCache, onnx_sha256: str, *, where: str, precision: str, dla: str = ""
) -> tuple[bytes, Target]:
    """Return the engine that this device built from an ONNX file, and what it was built for.

    Args:
        cache: where it lies.
        onnx_sha256: of the file.
        where: the file's name, for messages.
        precision: the file's, for the command that builds it.
        dla: number of the accelerator that it was built for, or empty.

    Raises:
        UnavailableError: there is no GPU or no TensorRT, or nothing was built for them yet.
    """
    gpu = open_gpu()
    try:
        target = target_of(gpu, import_tensorrt(), dla=dla)
    finally:
        gpu.close()
    plan = cache.find(onnx_sha256, target)
    if plan is None:
        raise no_plan(target, cache.refused or "none was built yet", where, precision)
    return plan, target


def no_plan(target: Target, why: str, where: str, precision: str) -> UnavailableError:
    """Return the error of an engine that has to be built first."""
    core = f" --dla {target.dla}" if target.dla else ""
    return UnavailableError(
        f"{where}: no engine for {target}: {why}",
        hint=f"build it here with: edge-export build BUNDLE --precision {precision}{core}",
        code="engine.stale",
    )
