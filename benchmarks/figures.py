"""What a task's accuracy run found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.metrics import Interval, bootstrap_interval, wilson_interval

__all__ = ["Figures", "Measure", "mean", "share"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of merit; more is better unless its name says error.

    Attributes:
        value: of the figure.
        ci95: lower and upper end of its 95 % interval.
        n: how many trials it stands on.
    """

    value: float
    ci95: Interval
    n: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one run of one task.

    Attributes:
        task: ``detect``, ``mask``, ``reconstruct``, ``identity`` or ``emotion``.
        data: pack and split.
        n: pictures, or pairs of them, that were judged.
        measures: by name; the task's module says what each is.
        as_face: pictures in which no face was found, so that the whole picture was taken as one.
        seconds: wall time of the run.
        details: tables beside the measures, such as a confusion matrix.
    """

    task: str
    data: str
    n: int
    measures: Mapping[str, Measure]
    as_face: int
    seconds: float
    details: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return one flat object; each measure has ``<name>``, ``<name>_ci95``, ``<name>_n``."""
        report: dict[str, object] = {"task": self.task, "data": self.data, "n": self.n}
        for name, measure in self.measures.items():
            report[name] = _plain(measure.value)
            report[f"{name}_ci95"] = [_plain(end) for end in measure.ci95]
            report[f"{name}_n"] = measure.n
        report["as_face"] = self.as_face
        report["seconds"] = round(self.seconds, 2)
        return {**report, **self.details}


def share(hits: int, n: int) -> Measure:
    """Return a share of trials with its Wilson interval; NaN without trials."""
    return Measure(hits / n if n else math.nan, wilson_interval(hits, n), n)


def mean(values: ArrayLike) -> Measure:
    """Return a mean with its bootstrap interval; NaN without values."""
    array = np.asarray(values, np.float64)
    average = float(array.mean()) if len(array) else math.nan
    return Measure(average, bootstrap_interval(array), len(array))


def _plain(value: float) -> float | None:
    """Round for a reader; JSON has no NaN."""
    return round(value, 5) if math.isfinite(value) else None
