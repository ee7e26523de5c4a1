"""What the service's configuration asks of TensorRT, and how much it matters that it cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.doctor.case import Case
from edge.errors import EdgeError

if TYPE_CHECKING:
    from edge.service import Config

__all__ = ["tensorrt_level", "tensorrt_service"]


def tensorrt_service(case: Case) -> Config | None:
    """Return the service's configuration if it asks for TensorRT."""
    from edge.service import read_config

    try:
        config = read_config(case.config)
    except EdgeError:
        return None
    return config if config.engine == "tensorrt" else None


def tensorrt_level(case: Case) -> str:
    """Return the level of a finding that keeps TensorRT from running.

    Where the service's configuration asks for it and names nothing in its place, the service does
    not start. A Jetson without it does its work on the processor, which is worth a warning; on any
    other machine nobody has asked for it.
    """
    config = tensorrt_service(case)
    if config is not None:
        return "warn" if config.fallback else "fail"
    return "warn" if case.is_jetson else "ok"
