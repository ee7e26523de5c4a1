"""The seeds' networks, for ``benchmarks.peers.worker``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.peers.keras_run import compiled, limit_threads
from benchmarks.peers.seeds import PARAMETERS, build

__all__ = ["opener"]


def opener(
    threads: int, arguments: Sequence[str]
) -> Callable[[str], tuple[int, Callable[[], object]]]:
    """Return what builds a network by its name: its parameters, and a call that runs it."""
    del arguments
    limit_threads(threads)
    return lambda name: (PARAMETERS[name], compiled(build(name)))
