"""Error rates of verification, by hand and against counting at every threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tasks.roc import Roc, verification_hits

#: Similarities with many ties, which of them show one person, and how often each pair counts.
PAIRS = st.lists(
    st.tuples(st.integers(-5, 5), st.booleans(), st.integers(0, 3)), min_size=1, max_size=40
)


def _arrays(pairs: list[tuple[int, bool, int]]) -> tuple[np.ndarray, ...]:
    values, same, times = zip(*pairs, strict=True)
    return np.array(values, float) / 5, np.array(same), np.array(times)


def _counted(pairs: list[tuple[int, bool, int]], threshold: float) -> tuple[float, float]:
    """Return false and true accepts at a threshold, each pair written out as often as it counts."""
    values, same, times = _arrays(pairs)
    values, same = np.repeat(values, times), np.repeat(same, times)
    said = values >= threshold
    return float(said[~same].mean()), float(said[same].mean())


def _has_both(pairs: list[tuple[int, bool, int]]) -> bool:
    return {same for _, same, times in pairs if times} == {True, False}


@given(PAIRS, st.sampled_from([0.0, 0.001, 0.1, 0.25, 0.5, 1.0]))
def test_true_accepts_are_the_most_that_any_threshold_gives(
    pairs: list[tuple[int, bool, int]], far: float
) -> None:
    values, same, times = _arrays(pairs)
    roc = Roc(values, same)
    if not _has_both(pairs):
        assert math.isnan(roc.true_accept(far, times))
        return
    rates = [_counted(pairs, t) for t in [*np.unique(values), 2.0]]
    best = max(right for wrong, right in rates if wrong <= far + 1e-12)
    assert roc.true_accept(far, times) == pytest.approx(best)


@given(PAIRS, st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
def test_the_threshold_holds_what_it_promises(
    pairs: list[tuple[int, bool, int]], far: float
) -> None:
    values, same, times = _arrays(pairs)
    roc = Roc(values, same)
    threshold = roc.threshold(far, times)
    if not any(count and not one for _, one, count in pairs):
        assert math.isnan(threshold)
        return
    if _has_both(pairs):
        wrong, right = _counted(pairs, threshold)
        assert wrong <= far + 1e-12
        assert right == pytest.approx(roc.true_accept(far, times))
    if threshold > values.max():  # no pair at all may be accepted
        assert threshold == np.nextafter(values.max(), math.inf)


@given(PAIRS)
def test_equal_error_is_the_least_of_the_worse_rates(pairs: list[tuple[int, bool, int]]) -> None:
    values, same, times = _arrays(pairs)
    found = Roc(values, same).equal_error(times)
    if not _has_both(pairs):
        assert math.isnan(found)
        return
    rates = [_counted(pairs, t) for t in [*np.unique(values), 2.0]]
    assert found == pytest.approx(min(max(wrong, 1 - right) for wrong, right in rates))


def test_true_accepts_by_hand() -> None:
    similarity = np.array([0.9, 0.7, 0.5, 0.3] + [0.6] + [0.0] * 99)
    same = np.array([True] * 4 + [False] * 100)
    roc = Roc(similarity, same)
    assert roc.true_accept(0.0) == 0.5
    assert roc.true_accept(0.01) == 1.0
    assert roc.threshold(0.0) == pytest.approx(0.65)
    assert roc.threshold(0.01) == pytest.approx(0.15)
    assert math.isnan(Roc(similarity[:4], same[:4]).true_accept(0.1))


@pytest.mark.parametrize(
    ("others", "far", "tells"),
    [(1000, 0.001, True), (999, 0.001, False), (100, 0.01, True), (99, 0.01, False), (0, 1, False)],
)
def test_a_rate_needs_pairs_enough_for_one_error(others: int, far: float, tells: bool) -> None:
    roc = Roc(np.zeros(others + 5), np.arange(others + 5) < 5)
    assert roc.tells(far) is tells


@pytest.mark.parametrize(
    ("mine", "others", "rate"),
    [
        ([0.9, 0.8], [0.1, 0.2], 0.0),  # apart
        ([0.1, 0.2], [0.9, 0.8], 1.0),  # the wrong way round
        ([0.9, 0.4], [0.6, 0.1], 0.5),  # one of two on each side
        ([0.5, 0.5], [0.5, 0.5], 1.0),  # no threshold parts equal values
    ],
)
def test_equal_error_by_hand(mine: list[float], others: list[float], rate: float) -> None:
    same = [True] * len(mine) + [False] * len(others)
    assert Roc(mine + others, same).equal_error() == rate


def test_pairs_that_part_cleanly_are_all_judged_rightly() -> None:
    similarity = np.array([0.9, 0.8, 0.1, 0.2] * 10)
    same = np.array([True, True, False, False] * 10)
    folds = np.repeat(np.arange(10), 4)
    assert verification_hits(similarity, same, folds).all()


def test_a_fold_is_judged_with_the_other_folds_threshold() -> None:
    # Fold 1 parts at 0.5 and fold 2 at 0.15: with the other's threshold each errs.
    similarity = np.array([0.6, 0.4, 0.2, 0.1])
    same = np.array([True, False, True, False])
    hits = verification_hits(similarity, same, np.array([1, 1, 2, 2]))
    assert hits.tolist() == [True, False, False, True]


@given(st.lists(st.tuples(st.floats(-1, 1), st.booleans()), min_size=4, max_size=40))
def test_thresholds_do_not_part_equal_pairs(pairs: list[tuple[float, bool]]) -> None:
    similarity = np.array([round(s, 1) for s, _ in pairs])
    same = np.array([t for _, t in pairs])
    folds = np.arange(len(pairs)) % 2
    said = verification_hits(similarity, same, folds) == same
    for fold in (0, 1):
        mine = folds == fold
        for value in set(similarity[mine]):
            assert len(set(said[mine & (similarity == value)])) == 1
