"""What the proof of one network found; the record's lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["MIXED", "ORIGINAL", "Made", "Mended", "Row", "Tried", "points_lost"]

#: Key of the network's own file, in its own framework, among a trial's figures.
ORIGINAL = "original"
#: Precision of an INT8 artefact that was mended: some of its layers compute in float.
MIXED = "mixed"

#: Measures of which less is better.
_ERRORS = ("nme",)


@dataclass(frozen=True, slots=True)
class Made:
    """One artefact, or why there is none.

    Attributes:
        format, precision: which.
        stopped: what prevents it, the operator named; empty where it was made.
        size: bytes.
        label: what it computes in, by its tensors' types.
        sqnr_db: of each output against the original's, on held-back inputs.
        ms: median of one run, one thread, all artefacts of the network in turns.
        transposes, quantizes: operators that only carry values about, and those that change their
            scale or precision, inside the graph.
        findings: silent failures, each with its layer.
        double_db: of the original's float32 outputs, and of this artefact's, against the original
            in double precision; the output that differs most. Empty where that was not measured.
    """

    format: str
    precision: str
    stopped: str = ""
    size: int = 0
    label: str = ""
    sqnr_db: tuple[float, ...] = ()
    ms: float = 0.0
    transposes: int = 0
    quantizes: int = 0
    findings: tuple[str, ...] = ()
    double_db: tuple[float, ...] = ()

    @property
    def key(self) -> str:
        """Format and precision, as a trial's figures name it."""
        return f"{self.format} {self.precision}"


@dataclass(frozen=True, slots=True)
class Tried:
    """One judgement of the original and of its artefacts.

    Attributes:
        data: pack and split.
        metrics: that must not fall; the first is the headline.
        figures: by ``ORIGINAL`` or an artefact's key, see ``Figures.to_json``.
        paired: by an artefact's key and a metric: points of a hundred that it won or lost against
            the original on the very same pictures, and the ends of their 95 % interval.
    """

    data: str
    metrics: tuple[str, ...]
    figures: Mapping[str, Mapping[str, Any]]
    paired: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)

    def loss(self, key: str) -> float:
        """Return how many points of a hundred an artefact lost, on the metric that lost most."""
        return points_lost(self.metrics, self.figures[ORIGINAL], self.figures[key])


def points_lost(
    metrics: Sequence[str], before: Mapping[str, Any], after: Mapping[str, Any]
) -> float:
    """Return how many points of a hundred were lost, on the metric that lost most."""
    return max(100 * (after[m] - before[m]) * (1 if m in _ERRORS else -1) for m in metrics)


@dataclass(frozen=True, slots=True)
class Mended:
    """How an INT8 artefact that lost too much was brought back.

    Attributes:
        format: of the artefact.
        summary: what the search found, in one line.
        keep_float: layers that stay in float.
        reached: whether what was searched for was found, see ``export.proof.mend``.
        layers: how many there are that could stay in float.
        least_db: signal to noise that was asked of the outputs.
        tuned: where the task's own metric on training data chose the layers: ``data``, ``n``, the
            figures of ``float``, ``int8`` and ``mixed``, and the points that the latter lost.
    """

    format: str
    summary: str
    keep_float: tuple[str, ...]
    reached: bool
    layers: int
    least_db: float
    tuned: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One network.

    Attributes:
        name, summary, licence, kind: of the subject.
        absent: why there is nothing to measure, or nothing to convert; else empty.
        converts_s: seconds from the file to the float program, libraries loaded; None where it
            was not converted.
        artefacts: in the order they are made; mixed ones last.
        trials: in the subject's order.
        mended: one for each INT8 artefact that lost more than is allowed.
    """

    name: str
    summary: str
    licence: str
    kind: str
    absent: str = ""
    converts_s: float | None = None
    artefacts: tuple[Made, ...] = ()
    trials: tuple[Tried, ...] = ()
    mended: tuple[Mended, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings, with each trial's losses beside its figures."""
        table = asdict(self)
        for raw, trial in zip(table["trials"], self.trials, strict=True):
            made = [key for key in trial.figures if key != ORIGINAL]
            raw["loss_points"] = {key: round(trial.loss(key), 3) for key in made}
        return table
