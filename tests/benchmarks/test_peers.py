"""Rivals run in processes of their own; the race says how many times as fast ours is."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from benchmarks.peers.kinds import KINDS
from benchmarks.peers.race import Lap, main
from benchmarks.peers.rival import ROOT, Rival
from edge.errors import UnavailableError

SEEDS = KINDS["seeds"]


def test_a_kind_names_a_module_that_is_there() -> None:
    for kind in KINDS.values():
        assert (ROOT / f"{kind.module.replace('.', '/')}.py").is_file()
        assert not set(kind.chain) & set(kind.apart)


def test_the_chain_is_the_sum_of_its_networks() -> None:
    lap = Lap(SEEDS, times_ns={name: [10, 20, 30] for name in (*SEEDS.chain, "A2")})
    assert list(lap.chain_ns) == [50, 100, 150]
    ratio, (low, high) = lap.ratio([1, 2, 3])
    assert ratio == low == high == 50
    report = lap.to_json([1, 2, 3])
    assert report["times_faster"] == 50 and report["random_weights"] is True


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be run"):
        Rival(SEEDS, tmp_path / "python")


@pytest.mark.skipif(
    importlib.util.find_spec("insightface") is not None,
    reason="needs an environment without insightface, such as that of make test",
)
def test_a_worker_without_its_library_ends_with_one_line() -> None:
    with (
        Rival(KINDS["insightface"], Path(sys.executable)) as rival,
        pytest.raises(UnavailableError, match="ended at 'load iresnet50'"),
    ):
        rival.load("iresnet50")


WRONG = {
    "kind": (["--rival", "nobody=python"], "nobody=python"),
    "python": (["--rival", "seeds"], "KIND=PYTHON"),
    "weights": (["--rival", "public=python"], "--weights"),
    "none": ([], "--rival"),
}


@pytest.mark.parametrize(("arguments", "named"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 64
    said = capsys.readouterr().err
    assert named in said and said.count("\n") == 1
