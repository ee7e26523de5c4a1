"""What a task's accuracy run found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.metrics import (
    Interval,
    Statistic,
    effective_trials,
    resampled_interval,
    wilson_interval,
)

__all__ = ["Figures", "Measure", "better_when_smaller", "mean", "resampled", "share", "tied_share"]


#: What the tasks count that falls as a network gets better.
_ERRORS = ("eer", "failures", "nme")


def better_when_smaller(measure: str) -> bool:
    """Tell an error from a share of right answers by its name; ``nme_ytf`` is one of a group."""
    return measure.partition("_")[0] in _ERRORS


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of merit; more is better unless ``better_when_smaller`` says otherwise.

    Attributes:
        value: of the figure; NaN where the trials cannot tell.
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
        task: a name of ``benchmarks.tasks``: ``detect``, ``mask``, ``identity``, …
        data: pack and split.
        n: pictures, or pairs of them, that were judged.
        measures: by name; the task's module says what each is.
        as_face: pictures in which no face was found, so that the whole picture was taken as one.
        seconds: wall time of the run.
        details: tables beside the measures, such as a confusion matrix.
        tables: measures at several settings, by name and setting, such as the share of false
            accepts that is allowed.
    """

    task: str
    data: str
    n: int
    measures: Mapping[str, Measure]
    as_face: int
    seconds: float
    details: Mapping[str, object] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Measure]] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return one flat object; each measure has ``<name>``, ``<name>_ci95``, ``<name>_n``.

        A table of measures has the same three names, each with an object by setting.
        """
        report: dict[str, object] = {"task": self.task, "data": self.data, "n": self.n}
        for name, measure in self.measures.items():
            report[name] = _plain(measure.value)
            report[f"{name}_ci95"] = [_plain(end) for end in measure.ci95]
            report[f"{name}_n"] = measure.n
        for name, table in self.tables.items():
            report[name] = {key: _plain(m.value) for key, m in table.items()}
            report[f"{name}_ci95"] = {k: [_plain(e) for e in m.ci95] for k, m in table.items()}
            report[f"{name}_n"] = {key: m.n for key, m in table.items()}
        report["as_face"] = self.as_face
        report["seconds"] = round(self.seconds, 2)
        return {**report, **self.details}


def share(hits: int, n: int) -> Measure:
    """Return a share of independent trials with its Wilson interval; NaN without trials."""
    return Measure(hits / n if n else math.nan, wilson_interval(hits, n), n)


def tied_share(hits: ArrayLike, units: Sequence[tuple[str, ...]]) -> Measure:
    """Return a share of trials of which some hang together; NaN without trials.

    The interval is Wilson's at ``metrics.effective_trials``.

    Args:
        hits: bool ``[N]``.
        units: ``[N]``, what each trial hangs on, such as its person.
    """
    values = np.asarray(hits, bool)
    if not len(values):
        return share(0, 0)
    value, trials = float(values.mean()), effective_trials(values, units)
    return Measure(value, wilson_interval(value * trials, trials), len(values))


def mean(values: ArrayLike, units: Sequence[str] | None = None) -> Measure:
    """Return a mean with its bootstrap interval; NaN without values.

    Args:
        values: ``[N]``.
        units: ``[N]``, what each value hangs on, such as its person, and is drawn with; each on
            its own without.
    """
    array = np.asarray(values, np.float64)
    if units is None:
        owner = np.arange(len(array))
    else:
        owner = np.unique(np.array(list(units), np.str_), return_inverse=True)[1].reshape(-1)
    count = int(owner.max()) + 1 if len(array) else 0
    sums, sizes = np.bincount(owner, array, count), np.bincount(owner, minlength=count)

    def average(times: np.ndarray) -> float:
        return float(times @ sums) / float(times @ sizes)

    return resampled(count, average, len(array))


def resampled(units: int, statistic: Statistic, n: int) -> Measure:
    """Return a figure with the interval of ``metrics.resampled_interval``; NaN without units.

    Args:
        units: how many can be drawn.
        statistic: reckons the figure from how often each was drawn.
        n: trials that it stands on.
    """
    value = statistic(np.ones(units, np.int64)) if units else math.nan
    return Measure(value, resampled_interval(units, statistic), n)


def _plain(value: float) -> float | None:
    """Round for a reader; JSON has no NaN."""
    return round(value, 5) if math.isfinite(value) else None
