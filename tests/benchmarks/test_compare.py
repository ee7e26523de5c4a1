"""Which of two is faster, and whether that can be told."""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.cli import main
from benchmarks.compare import compare_accuracy, compare_latency, hold_to, percent
from benchmarks.latency.subjects import Answer, Subject
from benchmarks.race import (
    Ratio,
    as_choice,
    blocks_of,
    independent_ratio,
    paired_ratio,
    restricted,
    take_turns,
)
from benchmarks.records import AccuracyRecord, parse_record
from edge.bundle import Bundle, default_bundle
from edge.errors import BundleError, DataError, GateFailed, TransientError, UsageError
from edge.frames import Frame
from edge.results import StageTime
from tests.benchmarks.results import (
    MACHINE,
    accuracy_table,
    as_latency,
    latency_table,
    noisy,
    write,
)
from tests.edge.one_face import one_face_bundle
from tests.makers import make_frame, write_bundle

NAMES = ("a.json", "b.json")
SOURCE = "synthetic://?faces=1&frames=2&width=64&height=64"


def run(*arguments: str) -> int:
    """Run ``edge-bench compare``."""
    return main(["compare", *arguments])


# How a way of running a bundle is written.


@pytest.mark.parametrize(
    ("text", "path", "engine", "precision", "threads"),
    [
        ("trial", "trial", None, None, 3),
        ("trial@tflite", "trial", "tflite", None, 3),
        ("trial@tflite:2", "trial", "tflite", None, 2),
        ("trial@:2", "trial", None, None, 2),
        ("trial@/fp32", "trial", None, "fp32", 3),
        ("a@b@onnxruntime/int8:16", "a@b", "onnxruntime", "int8", 16),
        ("default@null", str(default_bundle()), "null", None, 3),
        ("default", str(default_bundle()), None, None, 3),
    ],
)
def test_a_choice_is_read(
    text: str, path: str, engine: str | None, precision: str | None, threads: int
) -> None:
    choice = as_choice(text, threads=3)
    assert (str(choice.path), choice.name) == (path, text)
    assert (choice.engine, choice.precision, choice.threads) == (engine, precision, threads)


@pytest.mark.parametrize(
    "text", ["trial@", "@tflite", "trial@cuda", "trial@/int3", "trial@tflite:0", "trial@tflite:2x"]
)
def test_what_is_no_choice_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        as_choice(text)
    assert repr(text) in str(caught.value)


def test_a_file_of_that_very_name_goes_first(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "trial@tflite")
    assert as_choice(str(folder)).path == folder


def test_no_pipeline_of_two_precisions_is_made_unasked(tmp_path: Path) -> None:
    bundle = Bundle.open(one_face_bundle(tmp_path / "bundle"))
    assert restricted(bundle, engine="null", precision=None).artefacts == bundle.artefacts
    with pytest.raises(BundleError, match="no int8 tflite artefact for the task 'detect'"):
        restricted(bundle, engine="tflite", precision="int8")


# In turn.


class Scripted(Subject):
    """Writes down when it ran; takes as long as it is told."""

    def __init__(self, name: str, diary: list[str]) -> None:
        self._name, self._diary = name, diary

    def run(self, frame: Frame) -> Answer:
        self._diary.append(f"{self._name}{frame.index}")
        return Answer(1, {"mask": StageTime(infer_ns=5, runs=1)}, 7)


def test_turns_go_forward_and_backward_frame_by_frame() -> None:
    diary: list[str] = []
    frames = [Frame(make_frame().image, index, 0, "noise") for index in range(2)]
    subjects = [Scripted(name, diary) for name in "AB"]
    turns = take_turns(subjects, frames, seconds=0, warm_up=1, least=3)
    assert diary == ["A0", "B0", *"A0 B0 B0 A0 A1 B1 B1 A1 A0 B0 B0 A0".split()]
    assert (turns.blocks, turns.frames) == (3, 2)
    assert turns.ns(1).tolist() == [[7, 7]] * 3
    assert turns.ns(0, "mask").tolist() == [[5, 5]] * 3
    assert turns.ns(0, "emotion").tolist() == [[0, 0]] * 3
    assert turns.stages(0) == ["mask"]


def test_turns_last_as_long_as_they_should() -> None:
    start = time.perf_counter()
    turns = take_turns([Scripted("A", [])], [make_frame()], seconds=0.2, least=1)
    assert time.perf_counter() - start >= 0.2
    assert turns.blocks > 100


# The statistics, where the truth is known.


def _drifting(count: int, seed: int) -> np.ndarray[Any, Any]:
    """Return a machine's slowness: a random walk that doubles and halves."""
    rng = np.random.default_rng(seed)
    return np.exp(np.cumsum(rng.normal(0, 0.02, count)))


def test_drift_does_not_blur_what_ran_in_turn() -> None:
    """A is 5 % faster under a load that changes by far more."""
    rng = np.random.default_rng(1)
    slowness = _drifting(1200, 1).reshape(-1, 4)
    noise = rng.lognormal(0, 0.03, slowness.shape)
    a = 10 * slowness[:, [0, 3]] * noise[:, [0, 3]]
    b = 10.5 * slowness[:, [1, 2]] * noise[:, [1, 2]]
    ratio = paired_ratio(b, a)
    assert ratio.told_apart
    assert ratio.value == pytest.approx(1.05, abs=0.01)
    assert ratio.ci95[1] - ratio.ci95[0] < 0.02
    apart = independent_ratio(b, a)
    assert apart.ci95[1] - apart.ci95[0] > 5 * (ratio.ci95[1] - ratio.ci95[0])


def test_an_interval_of_runs_that_hang_together_holds_what_it_promises() -> None:
    """Two runs of one thing, each latency like the one before: 95 % should not tell them apart."""
    alike, alone = 0, 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        pair = np.zeros((2, 400))
        for i in range(1, 400):
            pair[:, i] = 0.8 * pair[:, i - 1] + rng.normal(0, 0.02, 2)
        a, b = np.exp(pair)
        alike += not independent_ratio(blocks_of(b), blocks_of(a)).told_apart
        alone += not independent_ratio(b[:, None], a[:, None]).told_apart
    assert alike >= 10
    assert alone <= 8, "the latencies do hang together, or this proves nothing"


@example(count=8, period=1)
@example(count=63, period=7)
@given(
    count=st.integers(1, 5000),
    period=st.integers(1, 10**12) | st.integers(1, 40),
)
def test_blocks_keep_the_order_and_lose_less_than_one(count: int, period: int) -> None:
    blocks = blocks_of(np.arange(1, count + 1), period=period)
    flat = blocks.ravel()
    assert flat.tolist() == list(range(1, len(flat) + 1))
    assert count - len(flat) < blocks.shape[1]
    if 8 * period <= count:
        assert blocks.shape[1] % period == 0
        assert len(blocks) >= 8


def test_a_long_run_is_thinned_by_whole_turns_through_the_frames() -> None:
    """Every third frame is slow; a thinning out of step would see one kind alone."""
    raw = np.tile([1.0, 1.0, 4.0], 100_000)
    blocks = blocks_of(raw, period=3)
    assert blocks.size <= 50_000
    assert np.mean(blocks) == pytest.approx(2.0)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1), st.floats(1, 1e3))
def test_a_ratio_the_other_way_round_says_the_same(value: float, low: float, high: float) -> None:
    ratio = Ratio(value, (value * low, value * high))
    back = ratio.inverse().inverse()
    assert math.isclose(back.value, value)
    assert ratio.inverse().ci95[0] <= ratio.inverse().ci95[1]
    assert back.ci95 == pytest.approx(ratio.ci95)


# The command, on bundles that run.


def test_a_bundle_is_told_from_one_that_does_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none, one = one_face_bundle(tmp_path / "none"), one_face_bundle(tmp_path / "one")
    manifest = json.loads((none / "bundle.json").read_text(encoding="utf-8"))
    manifest["networks"]["detect"]["artefacts"][0]["contract"]["threshold"] = 0.5
    write(none / "bundle.json", manifest)
    settings = ["--source", SOURCE, "--seconds", "0.2"]
    assert run(str(none), str(one), *settings, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["paired"]
    assert report["told_apart"]
    assert report["ratio"] > 1.5
    assert report["ci95"][0] <= report["ratio"] <= report["ci95"][1]
    assert report["verdict"].startswith("A is ")
    assert set(report["stages"]) == {"detect"}, "the others ran in one of the two only"
    assert any("not do the same work" in remark for remark in report["remarks"])


def test_two_of_the_same_do_not_differ_by_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(one_face_bundle(tmp_path / "bundle"))
    assert run(bundle, f"{bundle}@:2", "--source", SOURCE, "--seconds", "0.2") == 0
    said = capsys.readouterr().out
    assert "times as fast" in said
    assert "identify" in said
    assert f"{bundle}@:2"[:40] in said


def test_one_engine_alone_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = str(one_face_bundle(tmp_path / "bundle"))
    settings = ["--subject", "engine:identity", "--source", SOURCE, "--seconds", "0.1", "--json"]
    assert run(f"{bundle}@null", bundle, *settings) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["told_apart"]
    assert report["ratio"] > 1, "computing nothing is faster"
    assert report["a"]["faces_per_frame"] is None


def test_a_bundle_and_a_file_do_not_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    result = write(tmp_path / "run.json", latency_table())
    assert run(str(bundle), str(result)) == 64
    assert "--against" in capsys.readouterr().err


def test_an_accuracy_and_a_latency_do_not_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [
        str(write(tmp_path / "a.json", latency_table())),
        str(write(tmp_path / "b.json", accuracy_table())),
    ]
    assert run(*files) == 64
    assert capsys.readouterr().err.count("\n") == 1


# Two files.


def test_two_files_are_compared_by_their_single_latencies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write(tmp_path / "a.json", latency_table(noisy(10.0, seed=1)))
    b = write(tmp_path / "b.json", latency_table(noisy(15.0, seed=2)))
    assert run(str(a), str(b)) == 0
    said = capsys.readouterr().out
    assert said.startswith("A is 1.5")
    assert "measured apart" in said
    assert "pipeline" in said
    contest = compare_latency(
        as_latency(json.loads(a.read_text())), as_latency(json.loads(b.read_text())), names=NAMES
    )
    assert contest.ratio.ci95[0] < 1.5 < contest.ratio.ci95[1]
    assert contest.stages["detect"].ratio is None


def test_another_machine_and_an_invalid_run_are_said() -> None:
    other = {**MACHINE, "board": "Raspberry Pi 4\x1b[2J", "versions": {"numpy": "1.26"}}
    a = as_latency(latency_table())
    b = as_latency(latency_table(valid=False, invalid=["throttled"], fingerprint=other))
    remarks = "\n".join(compare_latency(a, b, names=NAMES).remarks)
    assert "B is marked invalid: throttled" in remarks
    assert "two machines: board: Raspberry Pi 5 Model B Rev 1.0 and Raspberry Pi 4" in remarks
    assert "versions.numpy: 2.4.6 and 1.26" in remarks
    assert "\x1b" not in remarks


def test_offline_runs_are_compared_by_their_rate() -> None:
    a = as_latency(latency_table(scenario="offline", fps=120.0, fps_ci95=[118, 122], raw_ns=[]))
    b = as_latency(latency_table(scenario="offline", fps=60.0, fps_ci95=[59, 61], raw_ns=[]))
    contest = compare_latency(a, b, names=NAMES)
    assert (contest.figure, contest.p90) == ("fps", None)
    assert contest.ratio.value == pytest.approx(2.0)
    low, high = contest.ratio.ci95
    assert 118 / 61 < low < 2 < high < 122 / 59


@pytest.mark.parametrize(
    "changed",
    [
        {"scenario": "live"},
        {"subject": "stage:mask"},
        {"settings": {"source": "photo.jpg", "workers": 2, "streams": 1}},
    ],
    ids=["scenario", "subject", "workers"],
)
def test_other_measurements_do_not_compare(changed: dict[str, Any]) -> None:
    with pytest.raises(DataError) as caught:
        compare_latency(
            as_latency(latency_table()), as_latency(latency_table(**changed)), names=NAMES
        )
    assert caught.value.code == "bench.apart"


def test_too_few_latencies_do_not_compare() -> None:
    short = as_latency(latency_table(noisy(10.0, 5)))
    with pytest.raises(DataError, match=r"b\.json: has 5 single latencies"):
        compare_latency(as_latency(latency_table()), short, names=NAMES)


def _accuracy(**changed: Any) -> AccuracyRecord:
    record = parse_record(accuracy_table(**changed), where="test")
    assert isinstance(record, AccuracyRecord)
    return record


def test_shares_differ_as_newcombe_has_it() -> None:
    """56/70 and 48/80 of Newcombe (1998), table II, method 10: 0.2000, 0.0524 to 0.3339."""
    a = _accuracy(accuracy=48 / 80, accuracy_ci95=[0.4904, 0.7004], n=80)
    b = _accuracy(accuracy=56 / 70, accuracy_ci95=[0.6918, 0.8770], n=70)
    figure = compare_accuracy(a, b, names=NAMES).figures["accuracy"]
    assert figure.difference == pytest.approx(0.2)
    assert figure.ci95 == pytest.approx((0.0524, 0.3339), abs=2e-4)
    assert figure.better == "B"


def test_the_smaller_error_is_the_better_one() -> None:
    a = _accuracy(nme=0.04, nme_ci95=[0.039, 0.041])
    b = _accuracy(nme=0.06, nme_ci95=[0.059, 0.061])
    contest = compare_accuracy(a, b, names=NAMES)
    assert contest.figures["nme"].better == "A"
    assert contest.figures["accuracy"].better == ""
    assert "same pictures" in contest.remarks[0]


def test_two_accuracy_files_are_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        str(write(tmp_path / "a.json", accuracy_table())),
        str(write(tmp_path / "b.json", accuracy_table(data="other/test", task="mask"))),
    ]
    assert run(*files) == 0
    said = capsys.readouterr().out
    assert "tar_at_far.0.01" in said
    assert "not the same data" in said


# Held to a baseline.


def test_noise_is_let_pass_and_a_slow_down_is_not() -> None:
    baseline = as_latency(latency_table(noisy(10.0, seed=1)))
    same = hold_to(baseline, as_latency(latency_table(noisy(10.0, seed=2))), 0.3)
    assert (same.failed, same.sure) == (False, True)
    assert str(same).startswith("held: ")
    same.check()
    slower = hold_to(baseline, as_latency(latency_table(noisy(15.0, seed=3))), 0.05)
    assert slower.failed
    assert slower.slow_down.value == pytest.approx(1.5, rel=0.05)
    with pytest.raises(GateFailed, match=r"slower: p50 takes \+") as caught:
        slower.check()
    assert caught.value.exit_code == 3


def test_only_the_lower_end_of_the_interval_fails() -> None:
    """Slower by more than is let pass, and not surely so: said, and not failed."""
    baseline = as_latency(latency_table(noisy(10.0, seed=1)))
    result = as_latency(latency_table(noisy(10.0, seed=2)))
    slow_down = hold_to(baseline, result, 0.0).slow_down
    between = (slow_down.ci95[0] + slow_down.value) / 2 - 1
    held = hold_to(baseline, result, between)
    assert (held.failed, held.sure) == (False, False)
    assert slow_down.value > 1 + between
    assert "not sure" in str(held)
    assert held.to_json()["failed"] is False


def test_a_faster_run_holds() -> None:
    baseline = as_latency(latency_table(noisy(15.0, seed=1)))
    held = hold_to(baseline, as_latency(latency_table(noisy(10.0, seed=2))), 0.05)
    assert (held.failed, held.sure) == (False, True)


def test_another_machines_baseline_is_refused_with_what_differs() -> None:
    other = {**MACHINE, "board": "Raspberry Pi 4 Model B", "governor": "powersave"}
    baseline = as_latency(latency_table(fingerprint=other))
    result = as_latency(latency_table())
    with pytest.raises(DataError) as caught:
        hold_to(baseline, result, 0.05, name="old.json")
    assert caught.value.code == "bench.machine"
    for word in ("old.json", "Raspberry Pi 4 Model B", "governor: powersave", "--any-machine"):
        assert word in str(caught.value)
    assert hold_to(baseline, result, 0.05, any_machine=True).differing


def test_another_version_is_the_same_machine() -> None:
    newer = {**MACHINE, "versions": {"numpy": "3.0", "python": "3.13.1"}, "revision": "dirty"}
    held = hold_to(as_latency(latency_table()), as_latency(latency_table(fingerprint=newer)), 0.5)
    assert [difference.field for difference in held.differing] == [
        "versions.numpy",
        "versions.python",
        "revision",
    ]


def test_invalid_runs_judge_nothing() -> None:
    good, bad = as_latency(latency_table()), as_latency(latency_table(valid=False, invalid=["hot"]))
    with pytest.raises(DataError, match="marked invalid: hot"):
        hold_to(bad, good, 0.05)
    with pytest.raises(TransientError, match="hot") as caught:
        hold_to(good, bad, 0.05)
    assert caught.value.exit_code == 75


def test_another_source_or_thread_is_another_measurement() -> None:
    changed = latency_table(settings={"source": "x.jpg", "threads": 2, "workers": 1, "streams": 1})
    with pytest.raises(DataError, match=r"threads 1 and 2, source photo\.jpg and x\.jpg"):
        hold_to(as_latency(latency_table()), as_latency(changed), 0.05)


def test_a_percentage_has_its_sign() -> None:
    assert (percent("5%"), percent("2.5 %"), percent("0%")) == (0.05, 0.025, 0.0)
    for text in ("5", "", "%", "-5%", "5%%", "٥%", "1e3%"):
        with pytest.raises(argparse.ArgumentTypeError):
            percent(text)
