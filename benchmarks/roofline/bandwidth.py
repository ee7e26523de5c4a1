"""How many bytes a second the machine moves: copy and triad of STREAM, in NumPy.

McCalpin, "Memory Bandwidth and Machine Balance in Current High Performance Computers", IEEE TCCA
Newsletter, December 1995. Bytes are counted as there: what the kernel names, not what the cache
fetches to overwrite it. The best trial counts as there: nothing makes memory faster than it is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.fingerprint.conditions import read_conditions
from edge.board.system import System

__all__ = ["Bandwidth", "cache_sizes", "measure_cache", "measure_memory"]

#: STREAM asks for arrays of at least four times all caches.
_TIMES_CACHE = 4
_LEAST_BYTES, _MOST_BYTES = 32 << 20, 256 << 20
#: Of the memory that is to be had; there are three arrays.
_SHARE_OF_MEMORY = 1 / 12
_TRIALS = 10
#: Words of 4 bytes: three blocks stay in the second cache level of every board, and a call of
#: NumPy costs little against one.
_BLOCK = 16384
_CACHE_S = 0.01
_FACTOR = np.float32(3.0)

_Arrays = Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Bytes a second.

    Attributes:
        threads: that moved data at once, each its own.
        copy: ``a = b``, two words a step.
        triad: ``a = b + q c``, three words a step.
        array_bytes: of each array, all threads together.
    """

    threads: int
    copy: float
    triad: float
    array_bytes: int

    @property
    def best(self) -> float:
        """The better of both."""
        return max(self.copy, self.triad)

    def to_json(self) -> dict[str, float]:
        """Return gigabytes a second."""
        return {
            "threads": self.threads,
            "copy_gb_per_s": round(self.copy / 1e9, 3),
            "triad_gb_per_s": round(self.triad / 1e9, 3),
            "array_mib": round(self.array_bytes / 2**20, 3),
        }


def measure_memory(threads: int, *, root: Path = Path("/")) -> Bandwidth:
    """Move arrays that are much larger than all caches.

    Args:
        threads: at once.
        root: of the system that tells the caches' sizes.
    """
    wanted = _TIMES_CACHE * max(cache_sizes(root).values(), default=0)
    free = read_conditions(root=root).available_mib
    if free is not None:
        wanted = min(wanted, int(free * _SHARE_OF_MEMORY) << 20)
    size = min(max(wanted, _LEAST_BYTES), _MOST_BYTES)
    return _measure(size, threads, repeats=1)


def measure_cache(size: int, threads: int) -> Bandwidth:
    """Move arrays that stay in a cache.

    Args:
        size: of the cache of one core, in bytes; three arrays take half of it.
        threads: at once.
    """
    once = _measure(size * threads // 6, threads, repeats=1)
    repeats = max(1, round(_CACHE_S * once.copy / (2 * once.array_bytes)))
    return _measure(size * threads // 6, threads, repeats=repeats)


def cache_sizes(root: Path = Path("/")) -> dict[int, int]:
    """Return the bytes of the first processor's caches by level; empty where nothing tells."""
    system = System(root)
    sizes: dict[int, int] = {}
    for folder in system.paths("sys/devices/system/cpu/cpu0/cache/index*"):
        level = system.number(f"{folder}/level")
        found = re.fullmatch(r"(\d{1,7})K", system.text(f"{folder}/size") or "")
        if level is not None and found and system.text(f"{folder}/type") != "Instruction":
            sizes[level] = int(found.group(1)) << 10
    return sizes


def _measure(size: int, threads: int, *, repeats: int) -> Bandwidth:
    words = max(1, size // 4 // threads)
    parts = [[np.full(words, value, np.float32) for value in (1, 2, 3)] for _ in range(threads)]
    moved = 4 * words * threads
    with ThreadPoolExecutor(threads) as pool:
        copy = _fastest_s(pool, _copy, parts, repeats)
        triad = _fastest_s(pool, _triad, parts, repeats)
    return Bandwidth(threads, 2 * moved / copy, 3 * moved / triad, moved)


def _fastest_s(
    pool: ThreadPoolExecutor,
    kernel: Callable[[_Arrays, int], None],
    parts: Sequence[_Arrays],
    repeats: int,
) -> float:
    """Return the seconds of one step of all threads, the fastest of some trials."""
    taken = []
    for _ in range(_TRIALS):
        started = time.perf_counter()
        for waiting in [pool.submit(kernel, part, repeats) for part in parts]:
            waiting.result()
        taken.append((time.perf_counter() - started) / repeats)
    return min(taken)


def _copy(arrays: _Arrays, repeats: int) -> None:
    a, b, _ = arrays
    for _ in range(repeats):
        np.copyto(a, b)


def _triad(arrays: _Arrays, repeats: int) -> None:
    """Compute block by block: NumPy has no triad, and a second walk over all would move more."""
    starts = range(0, len(arrays[0]), _BLOCK)
    blocks = [[array[start : start + _BLOCK] for array in arrays] for start in starts]
    for _ in range(repeats):
        for a, b, c in blocks:
            np.multiply(c, _FACTOR, out=a)
            np.add(a, b, out=a)
