"""Every way of running a bundle, and which are worth having."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cli import main
from benchmarks.records import Cell, Facts, Merit, SweepRecord, Times, parse_record, read_record
from benchmarks.sweep import Wish, find_ways, lines, mark_front, page, sweep
from benchmarks.sweep.pareto import front
from edge.bundle import Bundle
from edge.errors import DataError
from tests.edge.one_face import one_face_bundle
from tests.edge.test_engines import ONNX, TFLITE, as_float, contract_int8
from tests.makers import make_frame, write_bundle

SOURCE = "synthetic://?faces=1&frames=2&width=64&height=64"


def run(*arguments: str) -> int:
    """Run ``edge-bench sweep``."""
    return main(["sweep", *arguments])


def two_engines(folder: Path) -> Path:
    """Write a bundle with the tiny network for both engines, each with evidence of its own."""
    write_bundle(folder, ["identity"])
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    network = manifest["networks"]["identity"]
    base = network["artefacts"][0]
    (folder / base["file"]).unlink()
    network["artefacts"] = []
    for source, engine, precision, contract, value in (
        (TFLITE, "tflite", "int8", contract_int8(), 0.90),
        (ONNX, "onnxruntime", "fp32", as_float(contract_int8()), 0.95),
    ):
        content = source.read_bytes()
        (folder / source.name).write_bytes(content)
        network["artefacts"].append(
            base
            | {
                "file": source.name,
                "engine": engine,
                "precision": precision,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "contract": contract.to_json(),
                "evidence": base["evidence"]
                | {"metric": "accuracy", "artefact": value, "ci95": [value - 0.01, value + 0.01]},
            }
        )
    (folder / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _ways(path: Path, **wish: Any) -> list[tuple[str, str, str, int]]:
    found = find_ways([("bundle", Bundle.open(path))], Wish(**wish))
    return [(w.cell.subject, w.cell.engine, w.cell.precision, w.cell.threads) for w in found]


def test_every_artefact_is_a_way_times_threads(tmp_path: Path) -> None:
    assert _ways(two_engines(tmp_path / "bundle"), threads=(1, 2)) == [
        ("identity", "tflite", "int8", 1),
        ("identity", "tflite", "int8", 2),
        ("identity", "onnxruntime", "fp32", 1),
        ("identity", "onnxruntime", "fp32", 2),
    ]


def test_a_whole_bundle_is_a_pipeline_too(tmp_path: Path) -> None:
    ways = _ways(write_bundle(tmp_path / "bundle"))
    assert ways[0] == ("pipeline", "null", "int8", 1)
    assert {subject for subject, *_ in ways[1:]} >= {"detect", "mask", "identity"}


def test_networks_with_no_pair_in_common_are_one_mixed_pipeline(tmp_path: Path) -> None:
    path = one_face_bundle(tmp_path / "bundle")
    assert _ways(path, subjects=("pipeline",)) == [("pipeline", "mixed", "mixed", 1)]
    assert _ways(path, engines=("tflite",), subjects=("identity",)) == [
        ("identity", "tflite", "int8", 1)
    ]


def test_what_no_artefact_fits_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        _ways(write_bundle(tmp_path / "bundle"), engines=("tflite",))
    assert caught.value.code == "bench.sweep"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_the_front_is_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    found = {points[i] for i in front([(float(x), float(y)) for x, y in points])}
    for x, y in points:
        beaten = any((a < x and b <= y) or (a <= x and b < y) for a, b in points)
        assert ((x, y) in found) is not beaten
    assert bool(found) is bool(points)


def _cell(ms: float, value: float, metric: str = "accuracy", data: str = "pack") -> Cell:
    times = Times(9, ms, (ms, ms), ms, (ms, ms), 1e3 / ms, (1e3 / ms, 1e3 / ms))
    merit = Merit(metric, value, value, None, 10, data)
    return Cell("mask", "b", "tflite", "int8", 96, 96, 1, times=times, merit=merit)


def test_the_front_knows_which_way_is_better() -> None:
    cells = [_cell(1, 0.9), _cell(2, 0.95), _cell(3, 0.93)]
    assert [cell.front for cell in mark_front(cells)] == [True, True, False]
    errors = [_cell(1, 0.05, "nme"), _cell(2, 0.06, "nme"), _cell(3, 0.04, "nme")]
    assert [cell.front for cell in mark_front(errors)] == [True, False, True]


def test_what_was_judged_otherwise_is_on_a_front_of_its_own() -> None:
    cells = [_cell(1, 0.9), _cell(2, 0.5, data="another"), _cell(2, 0.5, "recall")]
    untimed = dataclasses.replace(_cell(1, 0.99), times=None)
    assert [cell.front for cell in mark_front([*cells, untimed])] == [True, True, True, False]


def test_both_engines_are_timed_and_proven(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e .[onnx]")
    bundle, out, html = two_engines(tmp_path / "bundle"), tmp_path / "s.json", tmp_path / "s.html"
    arguments = ["--bundle", str(bundle), "--source", SOURCE, "--threads", "1", "--seconds", "0.1"]
    assert run(*arguments, "--json", "--out", str(out), "--html", str(html)) == 0
    captured = capsys.readouterr()
    assert "round 10 of 10" in captured.err
    record = read_record(out)
    assert isinstance(record, SweepRecord)
    assert record == parse_record(json.loads(captured.out), where="stdout")
    for cell in record.cells:
        assert cell.times is not None
        assert cell.times.count >= 30
        assert 0 < cell.times.p50_ms <= cell.times.p90_ms
        assert cell.times.p50_ci95[0] <= cell.times.p50_ms <= cell.times.p50_ci95[1]
        assert (cell.height, cell.width, cell.threads) == (16, 16, 1)
    assert [cell.merit.value for cell in record.cells if cell.merit] == [0.90, 0.95]
    assert record.cells[1].front, "nothing is better than the best"
    text = html.read_text()
    assert "accuracy on none, made for tests against time" in text
    assert "<script" not in text


def test_an_engine_that_is_not_installed_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    ways = find_ways([("b", Bundle.open(two_engines(tmp_path / "bundle")))], Wish())
    record = sweep(ways, [make_frame()], source="noise", seconds=0.05, rounds=2)
    runs, missing = record.cells
    assert runs.times is not None and runs.front and not runs.unavailable
    assert missing.times is None and not missing.front
    assert "onnxruntime" in missing.unavailable
    assert any("fp32 onnxruntime" in line and "install" in line for line in lines(record))
    assert missing.unavailable in page(record).replace("&#x27;", "'")
    parsed = parse_record(
        json.loads(
            json.dumps({"schema": "unveil-edge.bench/2", "kind": "sweep", **record.to_json()})
        ),
        where="test",
    )
    assert parsed == record


def test_a_pipeline_counts_its_faces(tmp_path: Path) -> None:
    bundle = Bundle.open(one_face_bundle(tmp_path / "bundle"))
    ways = find_ways([("b", bundle)], Wish(subjects=("pipeline",)))
    record = sweep(ways, [make_frame(64, 64)], source="noise", seconds=0.02, rounds=2)
    assert record.cells[0].faces_per_frame == 1.0
    assert record.cells[0].merit is None


@pytest.mark.parametrize("text", ["0", "1,", "1,x", "", "9999", "1;2", "-1"])
def test_what_is_no_list_of_threads_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"--threads={text}") == 64
    assert capsys.readouterr().err.count("\n") == 1


def test_a_hostile_name_stays_a_text() -> None:
    cell = dataclasses.replace(_cell(1, 0.9, "<b>\x1b[31m", "'\"><script>"), bundle="<i>/<u>")
    whole = sweep_of(cell, dataclasses.replace(cell, subject="</h2><script>"))
    text = page(whole)
    assert "<script" not in text and "<b>" not in text and "<u>" not in text
    assert "\x1b" not in text
    assert "\x1b" not in "\n".join(lines(whole))


def sweep_of(*cells: Cell) -> SweepRecord:
    """Return a sweep of these cells, marked invalid."""
    return SweepRecord(
        date="2026-11-21T17:30:48+00:00",
        source="noise",
        seconds=1.0,
        rounds=10,
        cells=tuple(cells),
        valid=False,
        invalid=("<b>busy</b>",),
        fingerprint=Facts({"processor": "<img src=x>"}),
    )
