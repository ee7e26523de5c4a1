"""How much it matters that TensorRT cannot run here."""

from __future__ import annotations

from edge.doctor.case import Case
from edge.errors import EdgeError

__all__ = ["tensorrt_level"]


def tensorrt_level(case: Case) -> str:
    """Return the level of a finding that keeps TensorRT from running.

    Where the service's configuration asks for it and names nothing in its place, the service does
    not start. A Jetson without it does its work on the processor, which is worth a warning; on any
    other machine nobody has asked for it.
    """
    from edge.service import read_config

    try:
        config = read_config(case.config)
    except EdgeError:
        return "warn" if case.is_jetson else "ok"
    if config.engine == "tensorrt":
        return "warn" if config.fallback else "fail"
    return "warn" if case.is_jetson else "ok"
