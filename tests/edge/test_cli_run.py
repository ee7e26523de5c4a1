"""edge-run as a user runs it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from edge.results import STAGES
from edge.sources import open_source
from tests.edge.one_face import one_face_bundle
from tests.hostile.process import ROOT, assert_refused, names, run_edge

SOURCE = "synthetic://?faces=1&masked=1&frames=2&width=100&height=100"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return one_face_bundle(tmp_path_factory.mktemp("bundle"))


def test_lines_go_to_standard_output(tmp_path: Path, bundle: Path) -> None:
    ended = run_edge("edge-run", "--source", SOURCE, "--bundle", bundle, home=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["frame"] for line in lines] == [0, 1]
    first = lines[0]
    assert first["schema"] == "unveil-edge.frame/1"
    assert set(first) == {"schema", "frame", "source", "captured_ns", "faces", "timing_ms"}
    assert set(first["timing_ms"]) == {*STAGES, "total"}
    (face,) = first["faces"]
    assert set(face) == {"box", "score", "mask", "reconstructed", "identity", "emotion"}
    assert face["box"] == [0.0, 0.0, 100.0, 100.0]
    assert face["identity"] is None  # no gallery


def test_all_sinks_at_once(tmp_path: Path, bundle: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    ended = run_edge(
        "edge-run", "--source", SOURCE, "--bundle", bundle, "--limit", 1,
        "--sink", f"jsonl:{out}/a.jsonl", "--sink", f"images:{out}/seen",
        "--sink", f"video:{out}/a.mp4", "--sink", "memory:", home=tmp_path,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert names(out) == ["a.jsonl", "a.mp4", "seen"]
    assert names(out / "seen") == ["frame-000000.jpg"]


def test_a_known_person_is_named_and_the_default_gallery_is_found(
    tmp_path: Path, bundle: Path
) -> None:
    picture = tmp_path / "ada.png"
    cv2.imwrite(str(picture), next(iter(open_source(SOURCE))).image)
    where = ["--bundle", bundle]
    enrolled = run_edge("edge-gallery", "enrol", "Ada", picture, *where, home=tmp_path)
    assert enrolled.returncode == 0
    ended = run_edge("edge-run", "--source", picture, *where, home=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    identity = json.loads(ended.stdout)["faces"][0]["identity"]
    assert identity == {"person": "Ada", "similarity": 1.0, "reconstructed": False}


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Let a child be interrupted: a shell's background job hands on that it passes over it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("sink", ["jsonl", "video"])
def test_stopping_a_live_source_keeps_what_it_gave(sink: str, tmp_path: Path, bundle: Path) -> None:
    target = tmp_path / ("a.jsonl" if sink == "jsonl" else "a.avi")
    written = tmp_path / ("a.jsonl" if sink == "jsonl" else "a-000001.avi")
    signals = tmp_path / "seen.jsonl"
    with subprocess.Popen(
        [sys.executable, "-m", "edge.cli.run", "--source", "synthetic://?width=64&height=64",
         "--bundle", str(bundle), "--sink", f"{sink}:{target}", "--sink", f"jsonl:{signals}"],
        cwd=ROOT, env={**os.environ, "HOME": str(tmp_path)}, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        end = time.monotonic() + 60
        while not (signals.exists() and signals.read_text().count("\n") > 2):
            assert running.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=60) == 130
        assert running.stderr is not None and running.stderr.read() == ""
    assert names(tmp_path) == sorted([written.name, "seen.jsonl"])
    assert written.stat().st_size > 0
    assert all(json.loads(line) for line in signals.read_text().splitlines())


def bounded_run(out: Path, bundle: Path) -> subprocess.Popen[str]:
    """Start a run that has an end, far away, and writes into a folder and to its output."""
    return subprocess.Popen(
        [sys.executable, "-m", "edge.cli.run", "--source", "synthetic://?frames=1000000",
         "--bundle", str(bundle), "--sink", f"jsonl:{out}/a.jsonl", "--sink", "jsonl:-"],
        cwd=ROOT, env={**os.environ, "HOME": str(out.parent)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.usefixtures("interrupts")
def test_stopping_a_bounded_source_leaves_nothing(tmp_path: Path, bundle: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with bounded_run(out, bundle) as running:
        assert running.stdout is not None and running.stderr is not None
        assert running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert said.splitlines() == ["edge-run: stopped; unfinished files were removed"]
    assert names(out) == []


def test_the_configuration_is_printed_and_reads_back(tmp_path: Path, bundle: Path) -> None:
    flags = ["--source", SOURCE, "--bundle", bundle, "--threads", 2, "--sink", "memory:"]
    printed = run_edge("edge-run", *flags, "--print-config", home=tmp_path)
    assert (printed.returncode, printed.stderr) == (0, "")
    config = tmp_path / "config.toml"
    config.write_text(printed.stdout)
    again = run_edge("edge-run", "--config", config, "--print-config", home=tmp_path)
    assert again.stdout == printed.stdout
    assert f'source = "{SOURCE}"' in printed.stdout and "threads = 2" in printed.stdout
    other = run_edge(
        "edge-run", "--config", config, "--sink", "jsonl:-", "--threads", 1, home=tmp_path
    )
    assert (other.returncode, other.stderr, len(other.stdout.splitlines())) == (0, "", 2)


def test_all_mistakes_of_a_configuration_are_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('sourse = "x"\n[ladder]\nhot_celsius = 300\n')
    ended = run_edge("edge-run", "--config", config, home=tmp_path)
    assert (ended.returncode, ended.stdout) == (78, "")
    assert [line.split(": ")[1:3] for line in ended.stderr.splitlines()] == [
        [str(config), "source"],
        [f"{config}:1", "sourse"],
        [f"{config}:3", "ladder.hot_celsius"],
    ]


def test_without_source_and_configuration_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert_refused(run_edge("edge-run", home=tmp_path), 64, "--source", "--config")


@pytest.mark.usefixtures("interrupts")
def test_sigterm_leaves_nothing_of_a_bounded_source(tmp_path: Path, bundle: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with bounded_run(out, bundle) as running:
        assert running.stdout is not None and running.stdout.readline()
        running.terminate()
        running.communicate(timeout=60)
    assert running.returncode == 130
    assert names(out) == []


def test_a_gallery_that_cannot_be_looked_at_is_no_missing_one(tmp_path: Path, bundle: Path) -> None:
    place = tmp_path / "data" / "unveil-edge"
    place.mkdir(parents=True)
    (place / "gallery.sqlite").symlink_to(place / "gallery.sqlite")
    ended = run_edge("edge-run", "--source", SOURCE, "--bundle", bundle, home=tmp_path)
    assert_refused(ended, 66, "gallery.sqlite")


def test_help_has_an_example(tmp_path: Path) -> None:
    ended = run_edge("edge-run", "--help", home=tmp_path)
    assert ended.returncode == 0
    assert "edge-run --source photo.jpg" in ended.stdout
