"""What a search for mixed precision found, and how it came to it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["MixedPlan", "Sensitivity", "Step", "Trial"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What is cheap to know of an artefact.

    Attributes:
        sqnr_db: of its outputs against the float network's, the worst of them.
        ms: one run, one thread; None where it was not timed.
        size: bytes of the file.
    """

    sqnr_db: float
    ms: float | None
    size: int

    @property
    def cost(self) -> str:
        """What it takes, in words."""
        time = "" if self.ms is None else f"{self.ms:.3f} ms, "
        return f"{time}{self.size / 1024:.1f} KiB"


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """One layer, alone in integers while all other candidates are in float.

    The other way round says little: a layer alone in float hands its output on through the same
    steps as before, so that a range that is too narrow or too coarse stays so. On the emotion
    network, calibrated with four pictures only, a search by this order ended with 3 layers in
    float after 7 evaluations, by the other one with 12 after 20.

    Attributes:
        layer: name of its output tensor.
        sqnr_db: of the outputs then; the lower, the more sensitive.
        ms, size: what the artefact takes then.
    """

    layer: str
    sqnr_db: float
    ms: float | None
    size: int


@dataclass(frozen=True, slots=True)
class Step:
    """One evaluation of the metric.

    Attributes:
        what: was tried, in words.
        layers: left in float, in the order of their sensitivity.
        metric: the task's figure.
        loss: against the float network, in the metric's own unit.
        within: the budget.
        sqnr_db, ms, size: as in ``Trial``.
    """

    what: str
    layers: tuple[str, ...]
    metric: float
    loss: float
    within: bool
    sqnr_db: float
    ms: float | None
    size: int


@dataclass(frozen=True, slots=True)
class MixedPlan:
    """What a search found.

    Attributes:
        reached: the budget is kept with ``keep_float``.
        exhausted: evaluations ran out before it was kept; with more of them it might be.
        keep_float: layers to leave in float, in the order of their sensitivity; where the budget
            is not reached, those of the step that lost least.
        baseline, budget: the float network's metric, and what may be lost of it.
        sensitivities: of all candidates, the most sensitive first; empty if nothing had to be
            left in float.
        steps: every evaluation in its order, the first with no layer in float.
        chosen: the step with ``keep_float``.
    """

    reached: bool
    exhausted: bool
    keep_float: tuple[str, ...]
    baseline: float
    budget: float
    sensitivities: tuple[Sensitivity, ...]
    steps: tuple[Step, ...]
    chosen: Step

    @property
    def summary(self) -> str:
        """One line: what stays float, what it brings and what it costs."""
        plain, end = self.steps[0], self.chosen
        metric = f"the metric is {end.metric:.4f}, {end.loss:.4f} below float's {self.baseline:.4f}"
        if self.reached and not self.keep_float:
            return f"nothing has to stay float: {metric}"
        price = f"{(end.size - plain.size) / 1024:+.1f} KiB to {end.size / 1024:.1f}"
        if end.ms is not None and plain.ms is not None:
            price = f"{end.ms - plain.ms:+.3f} ms to {end.ms:.3f}, {price}"
        if self.reached:
            return f"{len(self.keep_float)} layers stay float: {metric}; {price}"
        tried = max(len(step.layers) for step in self.steps)
        if self.exhausted:
            why = f"{len(self.steps)} evaluations were allowed, with up to {tried} layers in float"
        else:
            why = f"not even with all {tried} layers in float, so it is not they that lose it"
        return f"the loss allowed is {self.budget:g} and was not reached: {metric} at best; {why}"

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings."""
        return {"summary": self.summary, **asdict(self)}
