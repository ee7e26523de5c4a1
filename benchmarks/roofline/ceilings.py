"""What the machine can do at most: multiply-accumulates and bytes a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.anatomy.synthesis import Convolution
from benchmarks.anatomy.times import Span
from benchmarks.roofline.bandwidth import Bandwidth

__all__ = ["DEPTHWISE", "SHAPES", "Ceilings", "Peak"]

#: Large convolutions, 50 to 120 million multiply-accumulates, whose data about stays in the second
#: cache level: both kernels, from wide with few channels to small with many. Depthwise ones are a
#: ceiling of their own: no sum over channels, so no instruction that adds up products.
SHAPES = (
    Convolution(56, 64, 3),
    Convolution(28, 128, 3),
    Convolution(14, 256, 3),
    Convolution(56, 128, 1),
    Convolution(28, 256, 1),
    Convolution(14, 512, 1),
    Convolution(112, 32, 3, depthwise=True),
    Convolution(56, 64, 3, depthwise=True),
    Convolution(28, 128, 3, depthwise=True),
    Convolution(14, 256, 3, depthwise=True),
)
#: What a depthwise convolution's ceiling is called behind its precision.
DEPTHWISE = "depthwise"


@dataclass(frozen=True, slots=True)
class Peak:
    """The rate of one large convolution in the runtime.

    Attributes:
        precision: one of ``synthesis.PRECISIONS``.
        shape: of the convolution.
        span: of one run.
    """

    precision: str
    shape: Convolution
    span: Span

    @property
    def macs_per_s(self) -> float:
        """Multiply-accumulates a second."""
        return self.shape.macs / self.span.ms * 1e3

    @property
    def ceiling(self) -> str:
        """What its rate is a ceiling of: ``int8``, ``int8 depthwise``, ``float32`` and so on."""
        return f"{self.precision} {DEPTHWISE}" if self.shape.depthwise else self.precision

    def to_json(self) -> dict[str, object]:
        """Return the shape and billions of multiply-accumulates a second."""
        ends = (self.span.high_ms, self.span.low_ms)
        return {
            "ceiling": self.ceiling,
            "shape": str(self.shape),
            "gmacs_per_s": round(self.macs_per_s / 1e9, 3),
            "gmacs_per_s_ci95": [round(self.shape.macs / ms / 1e6, 3) for ms in ends],
        }


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The roofs of one machine, so many threads.

    Attributes:
        threads: of the runtime.
        tried: every convolution that was measured.
        memories: arrays much larger than the caches, by number of threads.
        cache: arrays in the second cache level, as many threads as the runtime; None where the
            system does not tell its size.
        cache_bytes: that size; what a layer touches comes from there if it fits.
    """

    threads: int
    tried: tuple[Peak, ...]
    memories: tuple[Bandwidth, ...]
    cache: Bandwidth | None
    cache_bytes: int

    @property
    def peaks(self) -> Mapping[str, Peak]:
        """The best convolution of each ceiling: its rate is called attainable."""
        best: dict[str, Peak] = {}
        for peak in self.tried:
            known = best.get(peak.ceiling)
            if known is None or peak.macs_per_s > known.macs_per_s:
                best[peak.ceiling] = peak
        return best

    @property
    def memory(self) -> Bandwidth:
        """Bandwidth of the memory with the runtime's threads."""
        return next(b for b in self.memories if b.threads == self.threads)

    def arithmetic_ms(self, macs: int, ceiling: str) -> float:
        """Return the least time for multiply-accumulates under a ceiling."""
        return macs / self.peaks[ceiling].macs_per_s * 1e3 if macs else 0.0

    def moving_ms(self, count: int) -> tuple[float, str]:
        """Return the least time to move bytes, and from where: ``cache`` or ``memory``."""
        if self.cache is not None and count <= self.cache_bytes:
            return count / self.cache.best * 1e3, "cache"
        return count / self.memory.best * 1e3, "memory"

    def to_json(self) -> dict[str, object]:
        """Return rates by ceiling, all that was tried, and bandwidths."""
        return {
            "attainable": {name: peak.to_json() for name, peak in self.peaks.items()},
            "tried": [peak.to_json() for peak in self.tried],
            "memory": [bandwidth.to_json() for bandwidth in self.memories],
            "cache": None if self.cache is None else self.cache.to_json(),
            "cache_kib": self.cache_bytes // 1024,
        }
