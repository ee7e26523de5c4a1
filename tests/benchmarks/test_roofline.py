"""The roofs of a machine and the layers below them."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.anatomy.costs import costs, moved_bytes
from benchmarks.anatomy.delegate import delegation
from benchmarks.anatomy.graph import read_graph
from benchmarks.anatomy.synthesis import PRECISIONS, Convolution, convolution
from benchmarks.anatomy.times import Span, measure_times
from benchmarks.anatomy.tracer import TFLiteProbe
from benchmarks.cli import roofline
from benchmarks.fingerprint import read_conditions, take_fingerprint
from benchmarks.roofline import bandwidth
from benchmarks.roofline.bandwidth import Bandwidth, cache_sizes, measure_cache, measure_memory
from benchmarks.roofline.ceilings import SHAPES, Ceilings, Peak
from benchmarks.roofline.layers import Layer, by_kind, place
from benchmarks.roofline.measure import Network
from benchmarks.roofline.page import page
from benchmarks.roofline.report import Report, terminal
from edge.bundle import Bundle, default_bundle
from edge.cli.common import Parser, run_command
from tests.boards import pi5, put
from tests.makers import write_bundle

SMALL = Convolution(5, 8, 3)


def _ceilings() -> Ceilings:
    """Return round figures: 1 GMAC/s, depthwise a tenth; 10 MB/s up to 4 KiB, else 1."""

    def peak(precision: str, shape: Convolution, rate: float) -> Peak:
        ms = shape.macs / rate * 1e3
        return Peak(precision, shape, Span(ms, ms, ms))

    tried = [
        peak(precision, replace(SMALL, depthwise=depthwise), rate)
        for precision, depthwise, rate in (
            *(("int8", False, 1e9), ("int8", False, 0.4e9), ("int8", True, 1e8)),
            *(("float32", False, 2e8), ("float32", True, 5e7)),
        )
    ]
    memory = Bandwidth(1, 1e6, 0.5e6, 1 << 27)
    return Ceilings(1, tuple(tried), (memory,), Bandwidth(1, 1e7, 1e6, 4096), 4096)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("shape", [*SHAPES, SMALL], ids=str)
def test_a_synthetic_convolution_costs_what_it_says(shape: Convolution, precision: str) -> None:
    content = convolution(shape, precision)
    graph = read_graph(content, where="made")
    assert [cost.macs for cost in costs(graph)] == [shape.macs]
    assert content == convolution(shape, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("depthwise", [False, True])
def test_a_synthetic_convolution_computes(precision: str, depthwise: bool) -> None:
    shape = replace(SMALL, depthwise=depthwise)
    content = convolution(shape, precision)
    assert delegation(content, where="made").pieces == 1
    probe = TFLiteProbe(content, where="made")
    graph = read_graph(content, where="made")
    picture = np.random.default_rng(1).integers(-128, 128, (1, 5, 5, 8)) / 128
    (got,) = (probe.run([picture])[name] for _, name in probe.outputs)
    weights = graph.tensors[1].real
    wide = np.pad(picture[0], ((1, 1), (1, 1), (0, 0)))
    wanted = np.zeros((5, 5, 8))
    for y in range(3):
        for x in range(3):
            part = wide[y : y + 5, x : x + 5]
            wanted += part * weights[0, y, x] if depthwise else part @ weights[:, y, x].T
    wanted = np.maximum(wanted, 0)
    assert wanted.max() > 0.2
    # Half a step of the output's grid, and float32's own rounding.
    within = 0.5 / 16 + 1e-5 if precision == "int8" else 1e-5
    assert np.abs(got[0] - np.minimum(wanted, 127 / 16)).max() <= within


def test_bytes_count_once() -> None:
    graph = read_graph(convolution(SMALL, "int8"), where="made")
    # Input, weights, int32 bias, output.
    assert moved_bytes(graph) == [200 + 8 * 8 * 9 + 8 * 4 + 200]


def test_a_reshape_moves_nothing() -> None:
    graph = read_graph(Bundle.open(default_bundle()).artefact("detect").content, where="detect")
    moved = zip(graph.nodes, moved_bytes(graph), strict=True)
    assert {count for node, count in moved if node.op == "RESHAPE"} == {0}


@pytest.mark.parametrize("threads", [1, 2])
def test_copies_and_triads_move_what_they_say(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bandwidth, "_LEAST_BYTES", 1 << 20)
    monkeypatch.setattr(bandwidth, "_MOST_BYTES", 1 << 20)
    found = measure_memory(threads)
    assert found.array_bytes == 1 << 20
    assert 1e7 < found.copy < 1e13 and 1e7 < found.triad < 1e13
    assert found.best == max(found.copy, found.triad)
    small = measure_cache(1 << 18, threads)
    assert small.array_bytes <= threads << 18


def test_the_triad_computes() -> None:
    arrays = [np.full(40_000, value, np.float32) for value in (0, 2, 5)]
    bandwidth._triad(arrays, 1)
    assert (arrays[0] == 2 + 3 * 5).all()
    bandwidth._copy(arrays, 1)
    assert (arrays[0] == 2).all()


def test_caches_of_a_board(tmp_path: Path) -> None:
    assert cache_sizes(pi5(tmp_path)) == {}
    folder = "sys/devices/system/cpu/cpu0/cache"
    for number, (level, kind, size) in enumerate(
        [(1, "Data", "64K"), (1, "Instruction", "48K"), (2, "Unified", "512K"), (3, "x", "2M")]
    ):
        put(
            tmp_path,
            {
                f"{folder}/index{number}/level": f"{level}\n",
                f"{folder}/index{number}/type": f"{kind}\n",
                f"{folder}/index{number}/size": f"{size}\n",
            },
        )
    assert cache_sizes(tmp_path) == {1: 65536, 2: 524288}


def test_the_best_convolution_is_attainable() -> None:
    peaks = _ceilings().peaks
    assert set(peaks) == {"int8", "int8 depthwise", "float32", "float32 depthwise"}
    assert peaks["int8"].macs_per_s == pytest.approx(1e9)


def _placed(precision: str, shape: Convolution, ms: float) -> Layer:
    graph = read_graph(convolution(shape, precision), where="made")
    (layer,) = place(graph, [Span(ms, ms, ms)], _ceilings())
    return layer


def test_a_layer_bound_by_arithmetic() -> None:
    layer = _placed("float32", SMALL, 1.0)
    # 14,400 multiply-accumulates at 0.2 GMAC/s; 3,936 bytes at 10 MB/s would take longer.
    assert (layer.kind, layer.shapes, layer.ceiling) == ("conv 3x3", "5x5x8 to 5x5x8", "float32")
    assert layer.arithmetic_ms == pytest.approx(14_400 / 2e8 * 1e3)
    assert layer.moving_ms == pytest.approx(3_936 / 1e7 * 1e3)
    assert layer.bound == "cache"
    wide = _placed("float32", Convolution(2, 16, 5), 1.0)
    assert wide.macs / wide.moved_bytes < 1  # nothing but weights, and too many for the cache
    assert wide.bound == "memory"
    deep = replace(wide, moved_bytes=1, moving_ms=1e-9)
    assert (deep.bound, deep.share) == ("arithmetic", pytest.approx(deep.arithmetic_ms))


def test_a_depthwise_layer_has_a_roof_of_its_own() -> None:
    layer = _placed("int8", replace(SMALL, depthwise=True), 1.0)
    assert (layer.kind, layer.ceiling, layer.macs) == ("depthwise 3x3", "int8 depthwise", 1800)
    assert layer.arithmetic_ms == pytest.approx(10 * layer.attainable_ms)


def test_a_layer_without_time_has_no_share() -> None:
    layer = _placed("int8", SMALL, -0.01)
    assert layer.share is None and layer.gmacs_per_s is None
    assert layer.to_json()["share"] is None


def test_kinds_add_up() -> None:
    layers = [_placed("int8", SMALL, 1.0), _placed("int8", SMALL, 3.0)]
    layers.append(_placed("int8", replace(SMALL, depthwise=True), 0.5))
    first, second = by_kind(layers)
    assert (first.kind, first.layers, first.ms, first.macs) == ("conv 3x3", 2, 4.0, 2 * 14_400)
    assert first.share_of_attainable == pytest.approx(2 * 14_400 / 1e9 * 1e3 / 4.0)
    assert second.kind == "depthwise 3x3"


def test_layers_are_timed_on_two_threads() -> None:
    sample = [np.zeros((1, 5, 5, 8))]
    (span,) = measure_times(
        convolution(SMALL, "int8"), sample, seconds=0.01, where="made", threads=2
    )
    assert span.ms > 0


def _run(arguments: Sequence[str]) -> int:
    def body(argv: Sequence[str]) -> int:
        parser = Parser(prog="edge-bench")
        roofline.add(parser.add_subparsers(dest="command", required=True))
        options: argparse.Namespace = parser.parse_args(["roofline", *argv])
        return int(options.run(options))

    return run_command("edge-bench", body, arguments)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_command_measures_a_network(
    threads: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(bandwidth, "_MOST_BYTES", 1 << 22)
    monkeypatch.setattr("benchmarks.roofline.measure._ROUNDS", (2, 2))
    html = tmp_path / "roofline.html"
    arguments = ["--task", "mask", "--seconds", "0.05", "--threads", str(threads), "--json"]
    assert _run([*arguments, "--html", str(html)]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert "layers of mask" in captured.err
    assert (found["kind"], found["threads"]) == ("roofline", threads)
    assert isinstance(found["valid"], bool) and found["valid"] == (not found["invalid"])
    attainable = found["ceilings"]["attainable"]
    assert attainable["int8"]["gmacs_per_s"] > attainable["int8 depthwise"]["gmacs_per_s"] > 0
    assert {memory["threads"] for memory in found["ceilings"]["memory"]} >= {1, threads}
    (network,) = found["networks"]
    assert network["macs"] == sum(layer["macs"] for layer in network["layers"]) > 1e7
    # Nothing is faster than the best convolution by far; a busy machine may shift either.
    assert 0.01 < network["share_of_attainable"] < 2
    assert network["kinds"][0]["ms"] >= network["kinds"][-1]["ms"]
    assert found["fingerprint"]["threads"] == threads
    text = html.read_text()
    assert text.count("<svg") == 1 and "conv 1x1" in text


WRONG = {
    "a task that the bundle has not": (["--task", "beauty"], 76, "beauty"),
    "no thread": (["--threads", "0"], 64, "--threads"),
    "no time": (["--seconds", "-1"], 64, "--seconds"),
    "no such bundle": (["--bundle", "nowhere"], 66, "nowhere"),
    "a precision that is not there": (["--precision", "fp64"], 76, "fp64"),
}


@pytest.mark.parametrize(("arguments", "code", "named"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(
    arguments: list[str], code: int, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert named in captured.err


def test_a_bundle_that_litert_cannot_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(["--bundle", str(write_bundle(tmp_path / "bundle"))]) == 76
    assert "[roofline.networks]" in capsys.readouterr().err


def _report(*layers: Layer, invalid: tuple[str, ...] = ()) -> Report:
    state = read_conditions()
    network = Network("mask", "mask.tflite", Span(2.0, 1.9, 2.1), layers)
    fingerprint = take_fingerprint(engine="tflite", threads=1, bundle="ab" * 32)
    return Report(
        "2026-11-21T00:00:00+00:00", invalid, _ceilings(), (network,), ("edit",),
        fingerprint, state, state,
    )  # fmt: skip


def test_names_from_a_file_do_nothing_on_page_or_terminal() -> None:
    evil = '<script>alert(1)</script>\x1b[31m"'
    layer = replace(_placed("int8", SMALL, 1.0), name=evil, kind=evil)
    report = _report(layer, invalid=("busy",))
    text = page(report)
    assert "<script" not in text and "\x1b" not in text
    assert "default-src 'none'" in text
    assert "This run does not count" in text and "busy" in text
    assert "\x1b" not in terminal(replace(report, left_out=()))


def test_the_terminal_says_what_is_left() -> None:
    slow = replace(_placed("int8", SMALL, 1.0), delegated=False)
    text = terminal(_report(slow, _placed("int8", replace(SMALL, depthwise=True), 0.5)))
    assert re.search(r"^mask +0.0 .* 2.000 ", text, re.M)
    assert "left the delegate" in text
    assert "edit: its artefact is no TFLite file" in text


def test_a_page_without_a_multiplication() -> None:
    layer = replace(_placed("int8", SMALL, 1.0), macs=0, arithmetic_ms=0.0, attainable_ms=0.0)
    assert page(_report(layer)).count("<svg") == 0
