"""Find the fewest layers that have to stay float for a metric to keep what it promised.

Sensitivity first: each layer alone is put into integers and the outputs' SQNR against float
measured, which is cheap. Then greedy, by the task's own metric, which is dear: the most sensitive
layers together, twice as many each time until the loss is within the budget, then by halves back
to the fewest of them; then each is offered back, the least sensitive first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from edge.errors import UsageError
from export.cards.names import clean, shorten
from export.mixed.plan import MixedPlan, Sensitivity, Step, Trial

__all__ = ["MOST_EVALUATIONS", "search"]

#: Metric evaluations of a search, at most.
MOST_EVALUATIONS = 40
_LEAST_EVALUATIONS = 2
_WIDTH = 60


def search(
    evaluate: Callable[[frozenset[str]], float],
    candidates: Sequence[str],
    *,
    baseline: float,
    budget: float,
    trial: Callable[[frozenset[str]], Trial],
    loss: Callable[[float, float], float] = lambda before, after: before - after,
    most: int = MOST_EVALUATIONS,
    say: Callable[[str], None] = lambda line: None,
) -> MixedPlan:
    """Search which layers stay float; the same functions give the same plan.

    Args:
        evaluate: the task's metric of the artefact with these layers in float; called at most
            ``most`` times, never twice for the same layers.
        candidates: layers that may stay float, by the names of their output tensors.
        baseline: the float network's metric.
        budget: how much of it may be lost.
        trial: what is cheap to know of the artefact with these layers in float; called once for
            each candidate and once for each evaluation.
        loss: how much worse the second metric is than the first; for an error, turn it round.
        most: evaluations, two at least.
        say: takes one line an evaluation.

    Raises:
        UsageError: fewer than two evaluations, or a candidate is named twice.
    """
    if most < _LEAST_EVALUATIONS:
        raise UsageError(
            f"{most} evaluations: a search takes {_LEAST_EVALUATIONS} at least", code="mixed.most"
        )
    if len(set(candidates)) != len(candidates):
        raise UsageError("a layer stands among the candidates twice", code="mixed.candidates")
    judge = _Judge(evaluate, trial, lambda metric: loss(baseline, metric), budget, most, say)
    plain = judge.step("all in integers", ())
    if plain.within or not candidates:
        return _plan(judge, plain, (), baseline)
    ranked = _rank(candidates, trial)
    found = _fewest(judge, [item.layer for item in ranked])
    if found is not None:
        found = _give_back(judge, found)
    return _plan(judge, found, ranked, baseline)


class _Judge:
    """Evaluate sets of layers, as often as is allowed, and keep what came out."""

    def __init__(
        self,
        evaluate: Callable[[frozenset[str]], float],
        trial: Callable[[frozenset[str]], Trial],
        lost: Callable[[float], float],
        budget: float,
        most: int,
        say: Callable[[str], None],
    ) -> None:
        self._evaluate, self._trial, self._lost, self._say = evaluate, trial, lost, say
        self.budget, self._most = budget, most
        self.steps: list[Step] = []

    @property
    def left(self) -> int:
        """Evaluations that are left."""
        return self._most - len(self.steps)

    def step(self, what: str, layers: Sequence[str]) -> Step:
        """Evaluate the artefact with these layers in float."""
        names = frozenset(layers)
        metric, cheap = self._evaluate(names), self._trial(names)
        lost = self._lost(metric)
        step = Step(
            what=what,
            layers=tuple(layers),
            metric=metric,
            loss=lost,
            # What is no number is not within anything.
            within=lost <= self.budget,
            sqnr_db=cheap.sqnr_db,
            ms=cheap.ms,
            size=cheap.size,
        )
        self.steps.append(step)
        self._say(
            f"mixed precision: {what}: metric {metric:.4f}, loss {lost:.4f} of {self.budget:g}, "
            f"{cheap.sqnr_db:.1f} dB, {cheap.cost}"
        )
        return step


def _rank(
    candidates: Sequence[str], trial: Callable[[frozenset[str]], Trial]
) -> tuple[Sensitivity, ...]:
    """Order the layers by what each alone in integers loses; the first of equals stays first."""
    every = frozenset(candidates)
    found = []
    for layer in candidates:
        cheap = trial(every - {layer})
        found.append(Sensitivity(layer, cheap.sqnr_db, cheap.ms, cheap.size))
    # What is no number is as bad as can be.
    return tuple(sorted(found, key=lambda s: s.sqnr_db if math.isfinite(s.sqnr_db) else -math.inf))


def _fewest(judge: _Judge, ranked: Sequence[str]) -> Step | None:
    """Find how many of the most sensitive layers suffice; None if all, or time, do not."""
    failed, count, passed = 0, 1, None
    while judge.left and passed is None:
        step = judge.step(f"the {count} most sensitive in float", ranked[:count])
        if step.within:
            passed = step
        elif count == len(ranked):
            return None
        else:
            failed, count = count, min(2 * count, len(ranked))
    while passed is not None and judge.left and len(passed.layers) - failed > 1:
        middle = (failed + len(passed.layers)) // 2
        step = judge.step(f"the {middle} most sensitive in float", ranked[:middle])
        if step.within:
            passed = step
        else:
            failed = middle
    return passed


def _give_back(judge: _Judge, found: Step) -> Step:
    """Offer each layer back to the integers, the least sensitive first.

    The last one that came in is needed: without it the search has just failed.
    """
    for layer in found.layers[-2::-1]:
        if not judge.left:
            break
        rest = [name for name in found.layers if name != layer]
        step = judge.step(f"{shorten(clean(layer), _WIDTH)} given back", rest)
        if step.within:
            found = step
    return found


def _plan(
    judge: _Judge, found: Step | None, ranked: tuple[Sensitivity, ...], baseline: float
) -> MixedPlan:
    tried = max(len(step.layers) for step in judge.steps)
    chosen = found or min(
        judge.steps, key=lambda step: step.loss if math.isfinite(step.loss) else math.inf
    )
    return MixedPlan(
        reached=chosen.within,
        exhausted=not chosen.within and tried < len(ranked),
        keep_float=chosen.layers,
        baseline=baseline,
        budget=judge.budget,
        sensitivities=ranked,
        steps=tuple(judge.steps),
        chosen=chosen,
    )
