"""The tables of ``make bench`` follow from its results, and an estimate from its factors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.suite.__main__ import main
from benchmarks.suite.estimate import BOARDS, Board, estimate
from benchmarks.suite.steps import machine_name, steps
from benchmarks.suite.tables import page, summary

ROOT = Path(__file__).resolve().parents[2]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*/single-stream.json"))


def test_an_estimate_is_its_arithmetic() -> None:
    board = Board("a board", ghz=2.0, macs_per_cycle=10, because="it is said")
    found = estimate(board, {"mask": (40_000_000, 0.5)}, outside_ms=1.0, measured_ghz=3.0)
    assert found.engines_ms == pytest.approx(4.0)  # 40 M / (2 GHz * 10 * 0.5)
    assert found.outside_ms == pytest.approx(1.5)
    assert found.total_ms == pytest.approx(5.5)
    assert found.sums == ("mask: 40.0 M / (2 GHz * 10 * 0.50) = 4.0 ms",)


def test_every_board_says_where_its_factor_comes_from() -> None:
    assert len({board.name for board in BOARDS}) == len(BOARDS) == 3
    assert all("Guide" in board.because for board in BOARDS)


def test_a_machine_has_a_name_that_is_a_folder() -> None:
    assert machine_name() == machine_name().lower()
    assert machine_name().replace("-", "").isalnum()


def test_every_step_is_a_command_and_a_file_of_its_own() -> None:
    todo = list(steps())
    assert len({step.file for step in todo}) == len(todo)
    assert todo[0].command == "edge-bench latency --source masked.png"


@pytest.mark.parametrize("first", RESULTS, ids=[path.parent.name for path in RESULTS])
def test_the_committed_tables_are_those_of_the_committed_results(first: Path) -> None:
    results = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in first.parent.glob("*.json")
    }
    order = [step.file.removesuffix(".json") for step in steps()]
    results = {name: results[name] for name in (*order, "footprint", "peers") if name in results}
    commands = {step.file.removesuffix(".json"): step.command for step in steps()}
    assert page(results, commands) == (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\n".join(summary(results)) in readme


def test_what_was_not_measured_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- speed -->\n<!-- /speed -->\n", encoding="utf-8")
    arguments = ["--results", str(tmp_path), "--readme", str(readme), "--only", "nothing.json"]
    assert main(arguments) == 66
    assert "single-stream.json: not measured yet" in capsys.readouterr().err
    assert readme.read_text(encoding="utf-8") == "<!-- speed -->\n<!-- /speed -->\n"
