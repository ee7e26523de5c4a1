"""Scenarios play what they promise: every frame once, the newest first, errors to the caller."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cli import main
from benchmarks.latency.crew import Crew
from benchmarks.latency.live import Paced, live
from benchmarks.latency.quantiles import percentile, percentile_interval, rate_interval
from benchmarks.latency.result import LatencyResult, Settings, few
from benchmarks.latency.scenarios import Limits, Run, offline, one_by_one
from benchmarks.latency.subjects import Answer, Subject, Whole
from edge.bundle import Bundle
from edge.errors import DataError
from edge.frames import Frame
from edge.pipeline import Pipeline
from edge.results import StageTime
from tests.edge.one_face import one_face_bundle
from tests.makers import write_bundle

FRAMES = [Frame(np.zeros((4, 4, 3), np.uint8), i, 0, "black") for i in range(3)]


class Sleeper(Subject):
    """Takes a while, and remembers what it was given."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.seen: list[int] = []
        self.open = True

    def run(self, frame: Frame) -> Answer:
        time.sleep(self.seconds)
        self.seen.append(frame.index)
        return Answer(2, {"detect": StageTime(1000, 5000, 2000, 1)}, 9000)

    def close(self) -> None:
        self.open = False


class Broken(Subject):
    """Fails at its first frame."""

    def run(self, frame: Frame) -> Answer:
        raise DataError(f"frame {frame.index} breaks it")


def test_one_by_one_takes_the_frames_in_turn() -> None:
    sleeper = Sleeper()
    run = one_by_one(Crew([sleeper]), FRAMES, Limits(0, 7))
    assert sleeper.seen == [0, 1, 2, 0, 1, 2, 0]
    assert len(run.raw_ns) == len(run.ends_ns) == len(run.answers) == 7
    assert run.ends_ns == sorted(run.ends_ns) and run.ends_ns[-1] <= run.elapsed_ns


def test_a_run_lasts_its_seconds_as_well_as_its_count() -> None:
    run = one_by_one(Crew([Sleeper(0.01)]), FRAMES, Limits(0.2, 2))
    assert run.elapsed_ns >= 0.2e9
    assert 2 < len(run.raw_ns) <= 20


def test_a_query_of_several_frames_waits_for_all_of_them() -> None:
    run = one_by_one(Crew([Sleeper(0.01)]), FRAMES, Limits(0, 2), streams=3)
    assert (len(run.raw_ns), len(run.answers)) == (2, 6)
    assert min(run.raw_ns) >= 0.03e9


def test_a_crew_works_at_the_same_time() -> None:
    crew = Crew([Sleeper(0.05), Sleeper(0.05)])
    with crew:
        run = one_by_one(crew, FRAMES, Limits(0, 2), streams=4)
    assert min(run.raw_ns) < 0.19e9  # four sleeps, two at once
    assert all(subject.seen and not subject.open for subject in crew.subjects)  # type: ignore[attr-defined]


def test_offline_runs_every_frame_once() -> None:
    with Crew([Sleeper(0.001), Sleeper(0.002)]) as crew:
        run = offline(crew, FRAMES, Limits(0, 30))
        seen = sorted(index for s in crew.subjects for index in s.seen)  # type: ignore[attr-defined]
    assert seen == sorted([0, 1, 2] * 10)
    assert len(run.answers) == 30 and run.ends_ns == sorted(run.ends_ns)


@pytest.mark.parametrize("count", [1, 2])
def test_what_a_worker_meets_reaches_the_caller(count: int) -> None:
    with (
        Crew([Broken() for _ in range(count)]) as crew,
        pytest.raises(DataError, match="breaks it"),
    ):
        offline(crew, FRAMES, Limits(0, 10))


def test_live_drops_what_comes_too_late() -> None:
    sleeper = Sleeper(0.03)
    run, traffic = live(sleeper, Paced(FRAMES, fps=200), Limits(0.3, 3))
    assert traffic.processed == len(run.raw_ns) == len(traffic.age_ns)
    assert traffic.dropped > traffic.processed
    assert sleeper.seen == sorted(sleeper.seen)
    # A result is as old as the work took, and at most one frame more.
    assert 0.03e9 <= min(traffic.age_ns)
    assert np.median(traffic.age_ns) < 0.06e9


def test_live_keeps_up_where_it_can() -> None:
    _, traffic = live(Sleeper(), Paced(FRAMES, fps=20), Limits(0, 10))
    assert traffic.dropped <= 1  # the one that came while the run ended


def test_live_ends_with_its_source() -> None:
    _, traffic = live(Sleeper(), iter(FRAMES), Limits(60, 10**6))
    assert traffic.offered == 3


def test_a_camera_that_fails_is_told() -> None:
    def camera() -> Iterator[Frame]:
        yield FRAMES[0]
        raise DataError("the camera is gone")

    before = threading.active_count()
    with pytest.raises(DataError, match="gone"):
        live(Sleeper(), camera(), Limits(60, 10**6))
    assert threading.active_count() == before


def test_a_live_pipeline_that_fails_is_told(tmp_path: Path) -> None:
    pipeline = Pipeline(Bundle.open(one_face_bundle(tmp_path / "bundle")))

    def camera() -> Iterator[Frame]:
        yield FRAMES[0]
        raise DataError("the camera is gone")

    before = threading.active_count()
    with Whole(pipeline) as whole, pytest.raises(DataError, match="gone"):
        live(whole, camera(), Limits(60, 10**6))
    assert threading.active_count() == before


def test_every_offered_frame_was_processed_or_dropped(tmp_path: Path) -> None:
    pipeline = Pipeline(Bundle.open(one_face_bundle(tmp_path / "bundle")))
    with Whole(pipeline) as whole:
        run, traffic = live(whole, iter(FRAMES * 50), Limits(60, 10**6))
    assert traffic.offered == 150 and traffic.dropped > 0
    assert len(run.answers) == traffic.processed == 150 - traffic.dropped


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_enough_do_not_exceed(values: list[int], share: float) -> None:
    found = percentile(values, share)
    array = np.array(values)
    assert found in values
    assert (array <= found).mean() >= share - 1e-9
    lower = array[array < found]
    assert not len(lower) or (array <= lower.max()).mean() < share + 1e-9
    low, high = percentile_interval(values, share)
    assert low <= found <= high


def test_the_interval_of_a_percentile_holds_it_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    truth = math.log(10)  # the 90th percentile of the exponential distribution
    held = 0
    for _ in range(400):
        low, high = percentile_interval(random.exponential(size=200), 0.9)
        held += low <= truth <= high
    assert held / 400 > 0.92


def test_a_rate_that_drifts_has_a_wide_interval() -> None:
    steady = np.cumsum(np.full(200, 10_000_000))
    drifting = np.cumsum(np.linspace(5_000_000, 15_000_000, 200).astype(int))
    low, high = rate_interval(list(steady), 1)
    assert low == pytest.approx(100) and high == pytest.approx(100)
    low, high = rate_interval(list(drifting), 1)
    assert high - low > 10
    assert all(math.isnan(end) for end in rate_interval([1, 2], 1))


def _result(count: int = 64) -> LatencyResult:
    run = one_by_one(Crew([Sleeper()]), FRAMES, Limits(0, count))
    settings = Settings("single-stream", "pipeline", "black")
    return LatencyResult(settings, run, len(FRAMES), invalid=few(settings, run))


def test_a_result_adds_up() -> None:
    result = _result()
    report = result.to_json()
    assert (result.inside_ms, result.overhead_ms) == (0.005, 0.004)
    assert report["valid"] and report["faces_per_frame"] == 2
    assert report["stages"] == {
        "detect": {"pre_ms": 0.001, "infer_ms": 0.005, "post_ms": 0.002, "runs": 1.0}
    }
    assert (report["overhead_ms"], report["between_ms"]) == (0.004, 0.001)
    assert len(report["raw_ns"]) == 64  # type: ignore[arg-type]
    json.dumps(report, allow_nan=False)


def test_too_few_queries_are_no_percentile() -> None:
    result = _result(count=63)
    assert not result.valid
    assert result.invalid == ("63 queries are too few for p90, which takes 64",)


def test_a_long_run_has_a_short_timeline() -> None:
    run = Run([1] * 9000, list(range(9000)), [Answer(0)] * 9000, 9000)
    result = LatencyResult(
        Settings("offline", "pipeline", "x"), run, 1, temperature_c=[(2e-6, 41.0), (4e-6, 42.0)]
    )
    timeline = result.to_json()["timeline"]
    assert isinstance(timeline, list) and len(timeline) <= 2000
    assert timeline[0][2] is None and timeline[-1][2] == 42.0


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return one_face_bundle(tmp_path / "bundle")


SOURCE = ["--source", "synthetic://?faces=1&frames=3", "--seconds", "0.01"]


@pytest.mark.parametrize("scenario", ["single-stream", "multi-stream", "offline", "live"])
def test_every_scenario_prints_the_object(
    scenario: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--scenario", scenario, "--bundle", str(bundle), "--count", "5", "--fps", "100"]
    assert main(["latency", *SOURCE, *arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["schema"], report["scenario"]) == ("unveil-edge.bench/2", scenario)
    assert set(report["latency_ms"]) >= {"p50", "p90", "p95", "p99", "max"}
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["max"]
    assert set(report["stages"]["mask"]) >= {"pre_ms", "infer_ms", "post_ms"}
    assert report["fps"] > 0 and not report["valid"]
    assert "too few" in report["invalid"][0]
    assert report["artefacts"]["mask"].startswith("mask.")
    assert report["fingerprint"]["threads"] == 1 and {"before", "after"} <= set(report)
    # Only a live run follows faces, and does not look at them anew in each frame.
    assert report["faces_per_frame"] == 1 and (report["reused"] > 0) == (scenario == "live")
    assert ("live" in report) == (scenario == "live")


@pytest.mark.parametrize("subject", ["stage:mask", "engine:edit"])
def test_a_part_is_timed_alone(
    subject: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--subject", subject, "--bundle", str(bundle), "--count", "5", "--json"]
    assert main(["latency", *SOURCE, *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    (name,) = report["stages"]
    assert name == subject.partition(":")[2]
    assert report["stages"][name]["infer_ms"] > 0


def test_the_result_is_written_too(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    arguments = ["--bundle", str(bundle), "--count", "5", "--out", str(out)]
    assert main(["latency", *SOURCE, *arguments]) == 0
    assert json.loads(out.read_text())["kind"] == "latency"


WRONG = {
    "streams": (["--streams", "2"], 64, "--streams is for multi-stream"),
    "workers": (["--workers", "2"], 64, "--workers is for"),
    "subject": (["--subject", "stage:hat"], 64, "no stage 'hat'"),
    "kind": (["--subject", "network:mask"], 64, "nothing to time"),
    "seconds": (["--seconds", "0"], 64, "--seconds"),
}


@pytest.mark.parametrize(("arguments", "code", "named"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(
    arguments: list[str], code: int, named: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["latency", *SOURCE, "--bundle", str(bundle), *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert named in captured.err


def test_a_stage_without_a_face_is_not_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blind = write_bundle(tmp_path / "blind")
    assert main(["latency", *SOURCE, "--bundle", str(blind), "--subject", "stage:mask"]) == 65
    assert "reads a face" in capsys.readouterr().err
