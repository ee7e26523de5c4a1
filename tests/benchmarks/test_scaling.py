"""One beside several: the same work, in turns, in threads and in processes of their own."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cli import main
from benchmarks.latency.subjects import PIPELINE, open_subject
from benchmarks.race import Ratio
from benchmarks.scaling.compiled import INTERFACES, open_interface, seconds_together
from benchmarks.scaling.measure import Gain, Scaling, tiled
from benchmarks.scaling.passes import Passes
from benchmarks.scaling.processes import Processes
from benchmarks.scaling.rounds import in_rounds
from edge.bundle import Bundle, default_bundle
from edge.errors import DataError, UnavailableError
from edge.pipeline import Pipeline
from edge.sources import open_source
from tests.edge.one_face import one_face_bundle
from tests.makers import make_frame


def test_every_work_has_its_turn_forward_and_back() -> None:
    order: list[str] = []
    took = in_rounds({name: lambda n=name: order.append(n) for name in "abc"}, seconds=0)  # type: ignore[misc]
    assert order[:3] == ["a", "b", "c"]
    assert order[3:9] == ["a", "b", "c", "c", "b", "a"]
    assert {times.shape for times in took.values()} == {(12, 2)}


def test_rounds_last_as_long_as_asked() -> None:
    start = time.perf_counter()
    took = in_rounds({"a": lambda: time.sleep(0.01)}, seconds=0.4)
    assert time.perf_counter() - start >= 0.4
    assert len(took["a"]) > 12 and took["a"].min() >= 0.01


def test_processes_run_what_they_are_told(tmp_path: Path) -> None:
    bundle = one_face_bundle(tmp_path / "bundle")
    with Processes(2, bundle, [make_frame(64, 64)], threads=1) as processes:
        start = time.perf_counter()
        processes.run(1)
        few = time.perf_counter() - start
        start = time.perf_counter()
        processes.run(300)
        many = time.perf_counter() - start
    assert many > few
    processes.close()


def test_a_process_that_cannot_open_says_why(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="nowhere"):
        Processes(1, tmp_path / "nowhere", [make_frame(64, 64)], threads=1)


def test_four_copies_have_four_faces() -> None:
    with open_source("synthetic://?faces=1&frames=1") as source:
        (frame,) = source
    crowd = tiled(frame)
    assert crowd.image.shape == frame.image.shape
    bundle = Bundle.open(default_bundle())
    with open_subject(PIPELINE, bundle, [frame], threads=1, engine=None) as subject:
        assert [subject.run(f).faces for f in (frame, crowd)] == [1, 4]


@pytest.mark.parametrize(("masked", "count"), [(1, 5), (0, 4)])
def test_passes_fill_what_the_pipeline_fills(masked: int, count: int) -> None:
    """As many as there are stages for the face, and every engine reads and gives the same again."""
    with open_source(f"synthetic://?faces=1&masked={masked}&frames=1") as source:
        (frame,) = source
    with Pipeline(Bundle.open(default_bundle()), embeddings=True) as pipeline:
        passes = Passes(pipeline, frame)
        assert passes.count == count
        filled = [pipeline.stages[name].engine for name in ("detect", "mask", "emotion")]
        before = [(e.inputs[0].copy(), e.outputs[0].copy()) for e in filled]
        for engine in filled:
            engine.inputs[0][:] = 0
        passes.engines()
        for engine, (_, outputs) in zip(filled, before, strict=True):
            assert not np.array_equal(engine.outputs[0], outputs)
        passes.filled()
        for engine, (inputs, outputs) in zip(filled, before, strict=True):
            np.testing.assert_array_equal(engine.inputs[0], inputs)
            np.testing.assert_array_equal(engine.outputs[0], outputs)


def test_passes_want_one_face() -> None:
    with open_source("synthetic://?faces=2&frames=1") as source:
        (frame,) = source
    with (
        Pipeline(Bundle.open(default_bundle()), embeddings=True) as pipeline,
        pytest.raises(DataError, match="has 2 faces"),
    ):
        Passes(pipeline, frame)


@pytest.mark.parametrize("name", INTERFACES)
def test_an_interface_computes(name: str) -> None:
    artefact = Bundle.open(default_bundle()).artefact("mask")
    calls = [open_interface(name, artefact) for _ in range(2)]
    assert 0 < seconds_together(calls[:1], 2) < 60
    assert 0 < seconds_together(calls, 2) < 60


def test_the_object_says_whether_it_counts() -> None:
    gain = Gain("threads", "in words", Ratio(1.5, (1.25, 1.75)), 2.0)
    report = Scaling(2, (gain,), ("busy",), {"before": {}}).to_json()
    assert report["kind"] == "scaling" and report["valid"] is False
    assert report["gains"] == {
        "threads": {"says": "in words", "ratio": 1.5, "ratio_ci95": [1.25, 1.75], "one_ms": 2.0}
    }


def test_a_source_without_one_large_face_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = one_face_bundle(tmp_path / "bundle")  # it sees one face in any picture
    arguments = ["--source", "synthetic://?frames=1", "--bundle", str(bundle)]
    assert main(["scaling", *arguments, "--seconds", "0.01"]) == 65
    assert "one large face" in capsys.readouterr().err


def test_tiles_keep_odd_sizes() -> None:
    frame = tiled(make_frame(65, 33))
    assert frame.image.dtype == np.uint8 and frame.image.shape[2] == 3
