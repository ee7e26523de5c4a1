"""Ways that have their turn in rounds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest

from benchmarks.race import even, take_rounds
from benchmarks.race.rounds import FEWEST
from edge.errors import BundleError, EdgeError, UnavailableError


@contextlib.contextmanager
def way(log: list[str], name: str, number: int) -> Iterator[Callable[[], int]]:
    """Note when a way is opened, run and closed; a run gives the round's number."""
    log.append(f"open {name}{number}")

    def run() -> int:
        log.append(f"run {name}{number}")
        return number

    yield run
    log.append(f"close {name}{number}")


@contextlib.contextmanager
def broken(error: EdgeError, from_round: int, number: int) -> Iterator[Callable[[], int]]:
    """Run until a round in which it does not."""
    if number >= from_round:
        raise error
    yield lambda: number


def test_every_second_round_goes_backward_and_one_way_is_open_at_a_time() -> None:
    log: list[str] = []
    steps: list[tuple[int, int]] = []
    openers = [partial(way, log, name) for name in "abc"]
    timed = take_rounds(
        openers, seconds=0.0, rounds=2, step=lambda number, index: steps.append((number, index))
    )
    assert steps == [(0, 0), (0, 1), (0, 2), (1, 2), (1, 1), (1, 0)]
    assert [line for line in log if not line.startswith("run")] == [
        *("open a0", "close a0", "open b0", "close b0", "open c0", "close c0"),
        *("open c1", "close c1", "open b1", "close b1", "open a1", "close a1"),
    ]
    assert timed.slices == [[[0] * FEWEST, [1] * FEWEST]] * 3, "the warm-up does not count"
    assert log.count("run a0") > FEWEST


def test_a_way_that_is_not_there_is_missing_and_asked_once() -> None:
    log: list[str] = []
    error = UnavailableError("not installed")
    openers = [partial(way, log, "a"), partial(broken, error, 0)]
    timed = take_rounds(openers, seconds=0.0, rounds=3)
    assert timed.missing == {1: error}
    assert [len(slices) for slices in timed.slices] == [3, 0]


def test_a_way_that_fails_half_way_keeps_nothing() -> None:
    error = BundleError("does not run")
    openers = [partial(broken, error, 2)]
    timed = take_rounds(openers, seconds=0.0, rounds=3, forgive=EdgeError)
    assert timed.missing == {0: error} and timed.slices == [[]]


def test_an_error_that_is_not_forgiven_ends_it_all() -> None:
    with pytest.raises(BundleError):
        take_rounds([partial(broken, BundleError("no"), 1)], seconds=0.0, rounds=3)


def test_every_round_counts_the_same() -> None:
    rows = even([range(1000), range(10), range(500)])
    assert rows.shape == (3, 10)
    assert np.array_equal(rows[0], np.arange(0, 1000, 100))
    assert np.array_equal(rows[1], np.arange(10))
