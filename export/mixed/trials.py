"""Artefacts with some layers in float, and what is cheap to know of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.anatomy.times import measure_whole
from edge.errors import DataError
from export.inspection.audit import audit
from export.inspection.nearness import Nearness, nearness
from export.inspection.probe import Sample, open_probe
from export.mixed.plan import Trial

__all__ = ["Trials", "candidates_of"]

#: Seconds to time one artefact.
_SECONDS = 0.2


class Trials:
    """Make artefacts that leave some layers in float, and try each on held-back inputs.

    Args:
        exact: float TFLite file.
        make: makes the artefact with these layers in float; a TFLite file.
        samples: real values of the inputs that the calibration did not see.
        where: the network's name, for messages.

    Raises:
        DataError: the float file cannot be read or run, or there are no samples.
    """

    def __init__(
        self,
        exact: bytes,
        make: Callable[[frozenset[str]], bytes],
        samples: Sequence[Sample],
        *,
        where: str,
    ) -> None:
        if not samples:
            raise DataError(f"{where}: there are no samples to try it on", code="trace.samples")
        self._exact = open_probe(exact, where=f"{where}: the float network")
        self._make, self._samples, self._where = make, samples, where
        self._made: dict[frozenset[str], bytes] = {}

    def artefact(self, layers: frozenset[str]) -> bytes:
        """Return the artefact with these layers in float; the last one is kept."""
        if layers not in self._made:
            self._made = {layers: self._make(layers)}
        return self._made[layers]

    def __call__(self, layers: frozenset[str]) -> Trial:
        """Try the artefact with these layers in float.

        Raises:
            DataError: it does not run.
        """
        content = self.artefact(layers)
        probe = open_probe(content, where=self._where)
        near = nearness(self._exact, probe, self._samples, where=self._where)
        found: list[Nearness] = [near[name] for _, name in probe.outputs if name in near]
        span = measure_whole(content, self._samples[0], seconds=_SECONDS, where=self._where)
        return Trial(min(n.sqnr_db for n in found), span.ms, len(content))


def candidates_of(content: bytes, *, where: str) -> list[str]:
    """Return the layers of a float TFLite network that can stay float: those that compute.

    Raises:
        DataError: the file cannot be read.
    """
    found = audit(content, where)
    return list(dict.fromkeys(o.name for o in found.operators if o.role == "computes" and o.name))
