"""The fewest layers stay float, found with few evaluations, and what they cost is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DataError, UsageError
from export.inspection.audit import audit
from export.mixed import MixedPlan, Trial, Trials, candidates_of, search
from tests.export.tflite_maker import make, ranges_of, samples_of, small

Harm = Mapping[str, float]


class _Network:
    """A network whose layers each cost something of the metric, counted as it is asked."""

    def __init__(self, harm: Harm, *, baseline: float = 1.0) -> None:
        self.harm, self.baseline = dict(harm), baseline
        self.asked: list[frozenset[str]] = []

    def evaluate(self, kept: frozenset[str]) -> float:
        self.asked.append(kept)
        return self.baseline - sum(h for name, h in self.harm.items() if name not in kept)

    def trial(self, kept: frozenset[str]) -> Trial:
        lost = sum(h for name, h in self.harm.items() if name not in kept)
        return Trial(sqnr_db=50 - 100 * lost, ms=1 + 0.1 * len(kept), size=1000 + 300 * len(kept))

    def search(self, budget: float, **options: int) -> MixedPlan:
        return search(
            self.evaluate,
            list(self.harm),
            baseline=self.baseline,
            budget=budget,
            trial=self.trial,
            **options,
        )


FEW_BAD = {f"l{i}": 0.2 if i in (7, 11, 30) else 0.0001 for i in range(40)}


def test_nothing_stays_float_where_nothing_is_lost() -> None:
    network = _Network({"a": 0.001, "b": 0.001})
    plan = network.search(0.01)
    assert plan.reached and plan.keep_float == ()
    assert len(plan.steps) == 1 and plan.sensitivities == ()
    assert plan.summary.startswith("nothing has to stay float: the metric is 0.9980")


def test_the_layers_that_cost_most_stay_float_and_no_other() -> None:
    network = _Network(FEW_BAD)
    plan = network.search(0.01)
    assert plan.reached and not plan.exhausted
    assert set(plan.keep_float) == {"l7", "l11", "l30"}
    assert {s.layer for s in plan.sensitivities[:3]} == {"l7", "l11", "l30"}
    # 0, 1, 2, 4, 3, and the first two offered back.
    assert len(network.asked) == 7
    assert len(set(network.asked)) == len(network.asked)


def test_what_it_costs_stands_at_every_step() -> None:
    plan = _Network(FEW_BAD).search(0.01)
    assert [len(step.layers) for step in plan.steps] == [0, 1, 2, 4, 3, 2, 2]
    assert [step.within for step in plan.steps] == [False, False, False, True, True, False, False]
    assert plan.chosen.ms == pytest.approx(1.3) and plan.chosen.size == 1900
    assert plan.steps[0].what == "all in integers"
    assert "3 layers stay float: the metric is 0.9963, 0.0037 below float's 1.0000" in plan.summary
    assert "+0.300 ms to 1.300, +0.9 KiB to 1.9" in plan.summary


def test_a_layer_that_only_seemed_to_matter_is_given_back() -> None:
    """Cheap SQNR ranks ``loud`` first; the metric does not care about it."""
    network = _Network({"loud": 0.3, "bad": 0.2, "other": 0.0})

    def evaluate(kept: frozenset[str]) -> float:
        network.asked.append(kept)
        return 1.0 if "bad" in kept else 0.5

    plan = search(evaluate, list(network.harm), baseline=1.0, budget=0.01, trial=network.trial)
    assert plan.sensitivities[0].layer == "loud"
    assert plan.keep_float == ("bad",)
    assert plan.steps[-1].what == "loud given back"


def test_it_says_when_not_even_all_in_float_reach_it() -> None:
    network = _Network({"a": 0.1, "b": 0.1})

    def evaluate(kept: frozenset[str]) -> float:
        return network.evaluate(kept) - 0.5

    plan = search(evaluate, ["a", "b"], baseline=1.0, budget=0.01, trial=network.trial)
    assert not plan.reached and not plan.exhausted
    assert plan.keep_float == ("a", "b")
    assert "was not reached" in plan.summary
    assert "not even with all 2 layers in float, so it is not they that lose it" in plan.summary


def test_it_says_when_the_evaluations_ran_out() -> None:
    network = _Network({f"l{i}": 0.1 for i in range(64)})
    plan = network.search(0.01, most=4)
    assert len(network.asked) == 4
    assert not plan.reached and plan.exhausted
    assert "4 evaluations were allowed, with up to 4 layers in float" in plan.summary


def test_an_error_is_better_when_it_is_smaller() -> None:
    plan = search(
        lambda kept: 0.05 if "a" in kept else 0.2,
        ["a", "b"],
        baseline=0.04,
        budget=0.02,
        trial=_Network({"a": 0.1, "b": 0.0}).trial,
        loss=lambda before, after: after - before,
    )
    assert plan.reached and plan.keep_float == ("a",)


def test_what_is_no_number_is_within_nothing() -> None:
    network = _Network({"a": 0.1})
    plan = search(lambda kept: float("nan"), ["a"], baseline=1.0, budget=0.5, trial=network.trial)
    assert not plan.reached


def test_a_network_without_candidates_is_judged_once() -> None:
    network = _Network({})
    plan = search(lambda kept: 0.1, [], baseline=1.0, budget=0.1, trial=network.trial)
    assert not plan.reached and len(plan.steps) == 1


@pytest.mark.parametrize(
    ("candidates", "most", "said"), [(["a"], 1, "at least"), (["a", "a"], 9, "twice")]
)
def test_wrong_questions_are_refused(candidates: list[str], most: int, said: str) -> None:
    network = _Network({"a": 0.1})
    with pytest.raises(UsageError, match=said):
        search(
            network.evaluate, candidates, baseline=1.0, budget=0.0, trial=network.trial, most=most
        )


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=24),
    st.floats(0, 2),
    st.integers(2, 40),
)
def test_any_network_keeps_the_bounds(harm: list[float], budget: float, most: int) -> None:
    network = _Network({f"l{i}": h for i, h in enumerate(harm)})
    plan = network.search(budget, most=most)
    assert len(network.asked) <= most
    assert len(set(network.asked)) == len(network.asked)
    assert plan.reached == (plan.chosen.loss <= budget)
    assert plan == _Network(network.harm).search(budget, most=most)
    if plan.reached and len(network.asked) < most:
        # Harm adds up here, so the worst ones first are the fewest.
        ordered = sorted(harm, reverse=True)
        fewer = sum(ordered[max(0, len(plan.keep_float) - 1) :])
        assert not plan.keep_float or fewer > budget - 1e-9


def test_a_plan_is_json() -> None:
    table = json.loads(json.dumps(_Network(FEW_BAD).search(0.01).to_json()))
    assert table["reached"] is True
    assert len(table["steps"]) == 7 and len(table["sensitivities"]) == 40


# Real artefacts


def test_layers_that_compute_are_candidates() -> None:
    names = candidates_of(make(small), where="a")
    assert names == ["stem", "wide", "line", "total", "pooled", "logits", "probs"]


SAMPLES = samples_of((1, 16, 16, 3), 6, seed=5)


def _made(narrow: float) -> tuple[bytes, Callable[[frozenset[str]], bytes]]:
    """Return a float network and what quantises it, with one range too narrow."""
    exact = make(small)
    ranges = ranges_of(exact, samples_of((1, 16, 16, 3), 24))
    low, high = ranges["line"]
    ranges["line"] = (low * narrow, high * narrow)
    return exact, lambda kept: make(small, ranges, keep_float=kept)


def test_a_range_that_is_too_narrow_is_found_in_a_real_network() -> None:
    exact, quantise = _made(0.1)
    trials = Trials(exact, quantise, SAMPLES, where="a")
    plain = trials(frozenset())
    plan = search(
        lambda kept: trials(kept).sqnr_db,
        candidates_of(exact, where="a"),
        baseline=plain.sqnr_db + 12,
        budget=2,
        trial=trials,
    )
    assert plan.reached
    # The layer whose range it is and the one that reads it: in between nothing is rounded.
    assert "line" in plan.keep_float and len(plan.keep_float) <= 3
    kept = frozenset(plan.keep_float)
    found = audit(trials.artefact(kept), "a", keep_float=kept)
    assert {o.name for o in found.exceptions} == kept
    assert {o.reason for o in found.exceptions} == {"kept float on purpose"}
    assert plan.chosen.ms > 0 and plan.chosen.size != plain.size


def test_trials_need_samples() -> None:
    exact, quantise = _made(1.0)
    with pytest.raises(DataError, match="no samples"):
        Trials(exact, quantise, [], where="a")


def test_the_projects_own_quantiser_is_searched() -> None:
    pytest.importorskip(
        "ai_edge_quantizer", reason="needs ai-edge-quantizer: pip install -e .[export]"
    )
    from export.calibration.ranges import observe
    from export.quantisation.quantise import quantise

    exact = make(small)
    ranges = observe(exact, samples_of((1, 16, 16, 3), 24), where="a")
    low, high = ranges["line"]
    ranges = ranges.replaced({"line": (low / 10, high / 10)})
    trials = Trials(exact, lambda k: quantise(exact, ranges, keep_float=k), SAMPLES, where="a")
    plan = search(
        lambda kept: trials(kept).sqnr_db,
        candidates_of(exact, where="a"),
        baseline=trials(frozenset()).sqnr_db + 12,
        budget=2,
        trial=trials,
    )
    assert plan.reached and "line" in plan.keep_float and len(plan.keep_float) <= 3
