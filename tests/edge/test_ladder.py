"""What is left out under pressure, and when it is taken back."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.live.settings import Reduction
from edge.service.ladder import Ladder, LadderSettings, Level
from edge.service.readings import Readings

SETTINGS = LadderSettings()
COOL, HOT = Readings(celsius=50.0, available_mib=900.0), Readings(celsius=80.0, available_mib=900.0)


def run(ladder: Ladder, readings: Readings, start_s: float, seconds: float) -> list[Level]:
    """Look once a second."""
    return [ladder.step(readings, start_s + second) for second in range(round(seconds))]


def test_one_step_a_look_and_no_step_between_looks() -> None:
    levels = run(Ladder(SETTINGS), HOT, 0, 25)
    assert levels == [Level(1 + second // 5 if second < 20 else 4) for second in range(25)]


def test_each_level_leaves_out_one_thing_more() -> None:
    ladder = Ladder(SETTINGS)
    seen = [ladder.reduction]
    for look in range(4):
        ladder.step(HOT, 5.0 * look)
        seen.append(ladder.reduction)
    assert seen == [
        Reduction(),
        Reduction(detect_every=3),
        Reduction(detect_every=3, emotion=False),
        Reduction(detect_every=3, emotion=False, reconstruct=False),
        Reduction(detect_every=3, emotion=False, reconstruct=False, fps=5.0),
    ]


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        (Readings(celsius=75.0), "75 °C"),
        (Readings(throttled=("under-voltage", "throttled")), "under-voltage, throttled"),
        (Readings(available_mib=99.0), "99 MiB free"),
        (Readings(missed_share=0.2), "20% of the frames past the budget"),
        (Readings(celsius=90.0, available_mib=1.0), "90 °C, 1 MiB free"),
    ],
)
def test_every_kind_of_pressure_counts_and_is_named(readings: Readings, reason: str) -> None:
    ladder = Ladder(SETTINGS)
    assert ladder.step(readings, 0.0) is Level.DETECT_LESS
    assert ladder.reason == reason
    assert ladder.text == f"reduced: faces looked for in 1 of 3 frames ({reason})"


def test_a_board_without_any_sensor_is_left_alone() -> None:
    ladder = Ladder(SETTINGS)
    assert set(run(ladder, Readings(), 0, 1000)) == {Level.FULL}
    assert ladder.text == "full service"


def test_calm_takes_back_one_step_a_time() -> None:
    ladder = Ladder(SETTINGS)
    run(ladder, HOT, 0, 20)
    assert ladder.level is Level.LOW_FPS
    levels = run(ladder, COOL, 20, 200)
    assert levels == sorted(levels, reverse=True)
    changes = [at for at in range(1, 200) if levels[at] is not levels[at - 1]]
    assert len(changes) == 4 and ladder.level is Level.FULL and ladder.reason == ""
    assert all(b - a >= SETTINGS.calm_s for a, b in itertools.pairwise(changes))


@pytest.mark.parametrize(
    "between",
    [
        Readings(celsius=72.0),  # below hot, above cool
        Readings(available_mib=110.0),
        Readings(missed_share=0.15),
    ],
)
def test_between_the_bounds_nothing_changes(between: Readings) -> None:
    ladder = Ladder(SETTINGS)
    run(ladder, HOT, 0, 10)
    assert set(run(ladder, between, 10, 500)) == {Level.NO_EMOTION}


def test_a_relapse_makes_the_ladder_wait_longer() -> None:
    ladder, settings = Ladder(SETTINGS), SETTINGS
    at, waits = 0.0, []
    for _ in range(7):
        ladder.step(HOT, at)
        assert ladder.level is Level.DETECT_LESS
        began = at
        while ladder.level is Level.DETECT_LESS:
            at += settings.every_s
            ladder.step(COOL, at)
        waits.append(at - began)
        at += settings.every_s
    assert waits == [30, 60, 120, 240, 480, 600, 600]


def test_long_calm_at_full_service_forgets_relapses() -> None:
    ladder = Ladder(SETTINGS)
    ladder.step(HOT, 0)
    run(ladder, COOL, 5, 32)
    assert ladder.step(HOT, 40) is Level.DETECT_LESS  # a relapse: a minute now
    assert run(ladder, COOL, 45, 200)[-1] is Level.FULL
    assert ladder.step(HOT, 250) is Level.DETECT_LESS
    levels = run(ladder, COOL, 255, 40)
    assert levels[-1] is Level.FULL


def test_switched_off_it_does_nothing() -> None:
    ladder = Ladder(dataclasses.replace(SETTINGS, enabled=False))
    assert set(run(ladder, HOT, 0, 100)) == {Level.FULL}


READINGS = st.builds(
    Readings,
    celsius=st.none() | st.floats(20, 110),
    throttled=st.sampled_from([(), ("throttled",)]),
    available_mib=st.none() | st.floats(0, 400),
    missed_share=st.floats(0, 1),
)
STEPS = st.lists(st.tuples(READINGS, st.floats(0.1, 40)), min_size=1, max_size=60)


@given(STEPS)
def test_it_never_changes_faster_than_stated(steps: list[tuple[Readings, float]]) -> None:
    ladder, now_s, pressed_s, eased_s = Ladder(SETTINGS), 0.0, float("-inf"), float("-inf")
    changed_s = float("-inf")
    for readings, pause_s in steps:
        now_s += pause_s
        before = ladder.level
        after = ladder.step(readings, now_s)
        assert abs(after - before) <= 1
        if after is before:
            continue
        assert now_s - changed_s >= SETTINGS.every_s
        changed_s = now_s
        if after > before:
            pressed_s = now_s
        else:
            assert now_s - max(pressed_s, eased_s) >= SETTINGS.calm_s
            eased_s = now_s


def worse(readings: Readings, heat: float, less_mib: float, missed: float) -> Readings:
    celsius, free = readings.celsius, readings.available_mib
    return Readings(
        celsius=None if celsius is None else celsius + heat,
        throttled=(*readings.throttled, *(("under-voltage",) if heat > 30 else ())),
        available_mib=None if free is None else max(0.0, free - less_mib),
        missed_share=min(1.0, readings.missed_share + missed),
    )


@given(STEPS, READINGS, st.floats(0, 60), st.floats(0, 300), st.floats(0, 1))
def test_more_pressure_never_leaves_less_out(
    steps: list[tuple[Readings, float]],
    last: Readings,
    heat: float,
    less_mib: float,
    missed: float,
) -> None:
    """After the same past, a worse board is never given more to do."""
    one, other, now_s = Ladder(SETTINGS), Ladder(SETTINGS), 0.0
    for readings, pause_s in steps:
        now_s += pause_s
        assert one.step(readings, now_s) is other.step(readings, now_s)
    now_s += 100
    assert other.step(worse(last, heat, less_mib, missed), now_s) >= one.step(last, now_s)
