"""Intervals of what hangs together, F1 of labels, precision over scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.figures import mean, tied_share
from benchmarks.metrics import (
    effective_trials,
    psnr,
    resampled_interval,
    ssim,
    ssim_map,
    wilson_interval,
)
from benchmarks.tasks.boxes import Matched, average_precision, match
from benchmarks.tasks.classes import Answer, accuracy, confusion, macro_f1
from benchmarks.tasks.groups import by_group, few, row_groups
from edge.errors import DataError

LABELS = ("a", "b", "c")
ANSWERS = st.lists(
    st.builds(
        Answer,
        label=st.sampled_from(LABELS),
        said=st.sampled_from(LABELS),
        unit=st.sampled_from("pqrstu"),
        groups=st.just({}),
    ),
    min_size=1,
    max_size=60,
)

# Trials that hang together


@given(st.lists(st.booleans(), min_size=1, max_size=50))
def test_trials_on_their_own_count_almost_in_full(hits: list[bool]) -> None:
    n = len(hits)
    found = effective_trials(hits, [(str(i),) for i in range(n)])
    # Their variance is estimated with n - 1, that of a share with n.
    assert n - 1 - 1e-9 <= found <= n or n == 1 == found


def test_copies_of_a_picture_tell_nothing_new() -> None:
    hits = np.random.default_rng(0).random(40) < 0.7
    once = effective_trials(hits, [(str(i),) for i in range(40)])
    thrice = effective_trials(np.repeat(hits, 3), [(str(i),) for i in np.repeat(range(40), 3)])
    assert thrice == pytest.approx(once)


def test_pairs_are_tied_by_the_people_they_share() -> None:
    """Hold the sum by person against the sum over all pairs of pairs that share somebody."""
    rng = np.random.default_rng(1)
    units = [tuple(sorted(rng.choice(list("abcdefgh"), 2))) for _ in range(60)]
    hits = np.array([rng.random() < (0.4 if "a" in unit else 0.9) for unit in units])
    errors = hits - hits.mean()
    spread = sum(
        errors[i] * errors[j] for i in range(60) for j in range(60) if set(units[i]) & set(units[j])
    )
    people = len({name for unit in units for name in unit})
    wanted = 60 * 60 * hits.mean() * (1 - hits.mean()) / (spread * people / (people - 1))
    assert spread > 0
    assert effective_trials(hits, units) == pytest.approx(min(60.0, wanted))


def test_intervals_of_tied_trials_hold_their_level() -> None:
    """95 of 100 intervals hold the truth where every person has ten pictures of one kind."""
    rng = np.random.default_rng(5)
    units = [(str(i),) for i in np.repeat(range(60), 10)]
    held = naive = 0
    for _ in range(300):
        hits = rng.random(600) < np.repeat(rng.choice([0.6, 1.0], 60), 10)
        low, high = tied_share(hits, units).ci95
        held += low <= 0.8 <= high
        low, high = wilson_interval(int(hits.sum()), 600)
        naive += low <= 0.8 <= high
    assert held / 300 > 0.92 > naive / 300


def test_whole_people_are_drawn() -> None:
    values = np.repeat(np.random.default_rng(2).normal(0, 1, 30), 8)
    people = [str(i) for i in np.repeat(range(30), 8)]
    tied, alone = mean(values, people), mean(values)
    assert tied.value == pytest.approx(alone.value)
    assert (tied.n, alone.n) == (240, 240)
    width = np.diff(tied.ci95)[0] / np.diff(alone.ci95)[0]
    assert width == pytest.approx(math.sqrt(8), rel=0.2)


def test_draws_that_say_nothing_are_left_out() -> None:
    low, high = resampled_interval(4, lambda times: math.nan if times[0] == 0 else 3.0)
    assert (low, high) == (3.0, 3.0)
    assert all(map(math.isnan, resampled_interval(0, lambda times: 1.0)))
    assert all(map(math.isnan, resampled_interval(3, lambda times: math.nan)))


# Labels


@settings(max_examples=20)
@given(ANSWERS)
def test_macro_f1_is_the_mean_of_f1s(answers: list[Answer]) -> None:
    scores = []
    for label in {a.label for a in answers}:
        hits = sum(a.label == a.said == label for a in answers)
        recall = hits / sum(a.label == label for a in answers)
        said = sum(a.said == label for a in answers)
        precision = hits / said if said else 0.0
        both = precision + recall
        scores.append(2 * precision * recall / both if both else 0.0)
    measure = macro_f1(answers, LABELS)
    assert measure.value == pytest.approx(sum(scores) / len(scores))
    assert 0 <= measure.ci95[0] <= measure.ci95[1] <= 1
    table = confusion(answers, LABELS)
    assert sum(sum(row.values()) for row in table.values()) == len(answers)


def test_no_answers_give_no_figure() -> None:
    assert math.isnan(accuracy([]).value)
    assert math.isnan(macro_f1([], LABELS).value)


# Groups


@pytest.mark.parametrize(
    ("age", "group"),
    [("0", "0_2"), ("2", "0_2"), ("3", "3_9"), ("17", "10_17"), ("59", "45_59"), ("101", "60_up")],
)
def test_ages_are_grouped_as_the_packs_count_them(age: str, group: str) -> None:
    assert row_groups({"age": age, "sex": "", "gender": "f", "race": "East Asian"}) == {
        "age": group,
        "sex": "female",
        "race": "east_asian",
    }


@pytest.mark.parametrize("age", ["old", "-1", "3.5", "1000", "٣"])
def test_an_age_that_is_none_is_refused(age: str) -> None:
    with pytest.raises(DataError, match="has age"):
        row_groups({"file": "x", "age": age})


def test_groups_stand_apart_where_there_are_two() -> None:
    groups = [{"sex": "male", "age": "60_up"}, {"sex": "male", "age": "3_9"}, {}]
    found = dict(by_group([10, 20, 30], groups, sum))
    assert found == {"age_3_9": 20, "age_60_up": 10}
    assert list(found) == ["age_3_9", "age_60_up"]  # by years, not by letters


def test_a_column_of_free_text_is_no_grouping() -> None:
    assert few(["b", "", "a", "a"]) == ["a", "b"]
    assert few(str(i) for i in range(1000)) == []
    groups = [{"race": str(i)} for i in range(1000)]
    assert list(by_group(range(1000), groups, sum)) == []


# Boxes


def _matched(faces: int, scores: list[float], right: list[bool]) -> Matched:
    found = np.arange(faces) < sum(right)
    return Matched(faces, found, np.array(scores), np.array(right, bool))


def test_average_precision_by_hand() -> None:
    # Hit, miss, hit over four faces: precision 1 up to recall 1/4, 2/3 up to 2/4, 0 beyond.
    measure = average_precision([_matched(4, [0.9, 0.8, 0.7], [True, False, True])])
    assert measure.value == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    assert measure.n == 4
    assert average_precision([_matched(2, [0.9, 0.8], [True, True])]).value == 1.0
    assert average_precision([_matched(2, [], [])]).value == 0.0
    assert math.isnan(average_precision([_matched(0, [0.5], [False])]).value)
    assert math.isnan(average_precision([]).value)


PICTURES = st.lists(
    st.integers(0, 3).flatmap(
        lambda faces: st.lists(
            st.tuples(st.integers(1, 9), st.booleans()), max_size=6
        ).map(lambda said: (faces, said))
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


@settings(max_examples=20)
@given(PICTURES)
def test_average_precision_is_the_area_that_counting_gives(
    pictures: list[tuple[int, list[tuple[int, bool]]]],
) -> None:
    made = []
    for faces, said in pictures:
        left, right = faces, []
        for _, hit in said:  # no more hits than faces
            right.append(hit and left > 0)
            left -= right[-1]
        made.append(_matched(faces, [s / 10 for s, _ in said], right))
    total = sum(p.faces for p in made)
    value = average_precision(made).value
    if not total:
        assert math.isnan(value)
        return
    flat = [(s, r) for p in made for s, r in zip(p.scores.tolist(), p.right.tolist(), strict=True)]
    points = []
    for threshold in sorted({s for s, _ in flat}, reverse=True):
        said = [r for s, r in flat if s >= threshold]
        points.append((sum(said) / total, sum(said) / len(said)))
    area, before = 0.0, 0.0
    for i, (recall, _) in enumerate(points):
        area += (recall - before) * max(precision for _, precision in points[i:])
        before = recall
    assert value == pytest.approx(area)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_unsure_detections_change_nothing_for_the_sure_ones(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    faces, found = rng.uniform(9, 40, (5, 4)), rng.uniform(5, 45, (12, 4))
    found[:6] = faces[rng.integers(0, 5, 6)] + rng.normal(0, 1, (6, 4))
    found[:, 2:] = np.maximum(found[:, 2:], 1)
    scores, ignored = rng.random(12), rng.uniform(5, 40, (2, 4))
    every = match(found, scores, faces, ignored)
    sure = match(found[scores >= threshold], scores[scores >= threshold], faces, ignored)
    kept = every.scores >= threshold
    assert every.scores[kept].tolist() == sure.scores.tolist()
    assert every.right[kept].tolist() == sure.right.tolist()


# Pictures


def test_the_map_of_similarity_has_its_windows_in_place() -> None:
    rng = np.random.default_rng(3)
    a = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    b = a.copy()
    b[25:35, 10:20] = 0
    found = ssim_map(a, b).mean(2)
    assert found.shape == (30, 40)
    assert found.mean() == pytest.approx(ssim(a, b))
    assert found[25 - 5 + 5, 10 - 5 + 5] < 0.2  # in the middle of the change
    assert found[:9].min() > 0.999  # its windows end above it
    assert psnr(a[25:35, 10:20], b[25:35, 10:20]) < psnr(a, b)
