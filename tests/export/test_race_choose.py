"""The rule by which a race chooses, on figures made up for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.records import Merit
from export.race import choose as choose_module
from export.race.choose import AS_FAST, choose
from export.race.entry import Entry, times_as_long
from export.race.likeness import LEAST_COSINE

ROOT = Path(__file__).parents[2]
ROUNDS = 10


def entry(
    ms: float,
    precision: str = "int8",
    *,
    engine: str = "tflite",
    threads: int = 1,
    value: float = 0.9,
    max_drop: float | None = 0.015,
    memory: float | None = 5.0,
    metric: str = "accuracy",
    data: str = "pack/test",
    noise: float = 0.0,
    problem: str = "",
) -> Entry:
    """Return a way that takes so long in every round, give or take a share of noise."""
    spread = 1 + noise * np.tile([1.0, -1.0], ROUNDS // 2)
    return Entry(
        task="mask",
        file=f"mask.{precision}",
        engine=engine,
        precision=precision,
        threads=threads,
        merit=Merit(metric, value, value, None, 100, data),
        max_drop=max_drop,
        rounds_ms=tuple(float(ms * factor) for factor in spread),
        memory_mib=memory,
        problem=problem,
    )


@pytest.mark.parametrize(
    ("ways", "winner", "said"),
    [
        # The fastest, where nothing is near.
        ([entry(1.0), entry(2.0, "fp16")], 0, "the fastest"),
        # INT8 that is slower than FP16 is not chosen, whatever it saves.
        ([entry(1.2, memory=1), entry(1.0, "fp16", memory=9)], 1, "the fastest"),
        # Nor where it is no faster.
        ([entry(1.0), entry(1.04, "fp16")], 1, "not rounded to INT8"),
        ([entry(1.0, "dynamic"), entry(1.0, "fp32")], 1, "not rounded to INT8"),
        ([entry(1.0), entry(1.06, "fp16")], 0, "the fastest"),
        # INT8 that loses more than its card allows is not, however quick it is.
        ([entry(0.1, value=0.88), entry(1.0, "fp16", value=0.9)], 1, "the fastest"),
        ([entry(0.1, value=0.885), entry(1.0, "fp16", value=0.9)], 0, "the fastest"),
        # An error is better when it is smaller.
        (
            [entry(0.1, value=0.06, metric="nme"), entry(1.0, "fp32", value=0.04, metric="nme")],
            1,
            "the fastest",
        ),
        # What was judged on something else is not held against it.
        ([entry(0.1, value=0.5, data="other/test"), entry(1.0, "fp16")], 0, "the fastest"),
        # Nor is anything where the bundle does not say how much may be lost.
        ([entry(0.1, value=0.5, max_drop=None), entry(1.0, "fp16")], 0, "the fastest"),
        # More threads have to pay.
        ([entry(1.04), entry(1.0, threads=2)], 0, "on fewer threads"),
        ([entry(1.30), entry(1.0, threads=2)], 1, "the fastest"),
        ([entry(1.30, noise=0.5), entry(1.0, threads=2)], 0, "on fewer threads"),
        # INT8 on half the threads goes before float on all.
        ([entry(1.0), entry(1.0, "fp16", threads=2)], 0, ""),
        # Then memory.
        ([entry(1.0, memory=9), entry(1.02, engine="onnxruntime", memory=3)], 1, "less memory"),
        ([entry(1.0, memory=9), entry(1.02, engine="onnxruntime", memory=None)], 0, "fastest"),
        # What does not run is out, with its accuracy.
        ([entry(0.1, problem="not installed"), entry(1.0, "fp16")], 1, "the fastest"),
        (
            [entry(0.1, "fp32", value=0.99, problem="no"), entry(1.0, value=0.9)],
            1,
            "the fastest",
        ),
    ],
)  # fmt: skip
def test_the_rule(ways: list[Entry], winner: int, said: str) -> None:
    verdict = choose(ways)
    assert verdict.winner == winner
    assert said in verdict.reasons[winner] and verdict.reasons[winner].startswith("chosen")
    assert all(verdict.reasons), "every way is told why"


def test_what_was_lost_is_said() -> None:
    verdict = choose([entry(0.1, value=0.85), entry(1.0, "fp16")])
    assert verdict.reasons[0] == "accuracy 0.8500 where another way has 0.9000; 0.015 may be lost"


def test_nothing_that_runs_is_no_choice() -> None:
    verdict = choose([entry(1.0, problem="no GPU"), entry(1.0, problem="not installed")])
    assert verdict.winner is None
    assert verdict.reasons == ("no GPU", "not installed")
    assert choose([]).winner is None


_WAYS = st.lists(
    st.builds(
        entry,
        st.floats(0.1, 100),
        st.sampled_from(["int8", "fp16", "fp32", "dynamic"]),
        threads=st.sampled_from([1, 2, 4]),
        value=st.floats(0.5, 1),
        memory=st.none() | st.floats(0, 100),
        problem=st.sampled_from(["", "", "", "does not run"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25)
@given(_WAYS)
def test_whatever_was_measured(ways: list[Entry]) -> None:
    verdict = choose(ways)
    running = [way for way in ways if not way.problem]
    assert (verdict.winner is None) is (not running), "the best of all can always be chosen"
    if verdict.winner is None:
        return
    winner = ways[verdict.winner]
    assert not winner.problem
    assert winner.merit.value >= max(way.merit.value for way in running) - 0.015 - 1e-6
    for way, reason in zip(ways, verdict.reasons, strict=True):
        assert reason
        if not way.problem and "may be lost" not in reason:
            assert times_as_long(winner, way).value <= AS_FAST + 1e-9, "nothing is clearly faster"


@settings(max_examples=25)
@given(_WAYS)
def test_the_order_of_the_ways_is_no_reason(ways: list[Entry]) -> None:
    first, last = choose(ways), choose(ways[::-1])
    if first.winner is None or last.winner is None:
        assert first.winner is last.winner
        return
    one, other = ways[first.winner], ways[::-1][last.winner]
    assert (one.threads, one.memory_mib, one.rounds_ms) == (
        other.threads, other.memory_mib, other.rounds_ms,
    )  # fmt: skip


def test_rounded_weights_win_only_if_they_are_faster() -> None:
    for quicker in (0.5, 0.99, 1.0, 1.04, 1.06, 2.0):
        ways = [entry(1.0, "int8", memory=0.0), entry(quicker, "fp16", memory=99.0)]
        assert (choose(ways).winner == 0) is (quicker > AS_FAST)


def test_the_quotient_is_taken_round_by_round() -> None:
    """A neighbour that slows down half of the rounds of both does not count."""
    load = np.tile([1.0, 3.0], ROUNDS // 2)
    slow, quick = (
        replace(entry(1.0), rounds_ms=tuple(float(ms) for ms in ms * load)) for ms in (1.2, 1.0)
    )
    ratio = times_as_long(slow, quick)
    assert ratio.value == pytest.approx(1.2)
    assert ratio.ci95 == pytest.approx((1.2, 1.2))


def test_the_page_says_the_rule_as_it_is() -> None:
    page = " ".join((ROOT / "docs" / "race.md").read_text(encoding="utf-8").split())
    assert f"takes at most {100 * (AS_FAST - 1):.0f} % longer" in page
    assert f"cosine below {LEAST_COSINE} on drawn faces" in page
    # The last two steps stand in both in the same words.
    assert choose_module.__doc__ is not None
    for step in ("3. As fast as", "4. Of those"):
        said = choose_module.__doc__[choose_module.__doc__.index(step) :].split("\n\n")[0]
        words = " ".join(said.split("\n4.")[0].split())
        assert words.replace("those the one", "those, the one") in page
