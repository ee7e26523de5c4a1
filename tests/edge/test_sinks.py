"""Sinks: whole or not at all, and what a reader finds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import OutputError, UsageError
from edge.frames import Frame
from edge.results import SCHEMA, FrameResult
from edge.sinks import open_sink
from edge.sinks.memory import MemorySink


def frame_of(
    index: int, source: str = "v4l2:///dev/video0", size: tuple[int, int] = (48, 64)
) -> Frame:
    image = np.full((*size, 3), 40 + 10 * index, np.uint8)
    return Frame(image, index, 1000 + index, source)


def result_of(frame: Frame) -> FrameResult:
    return FrameResult(frame.index, frame.source, frame.captured_ns, (), total_ns=1_500_000)


def fill(sink, frames: list[Frame]) -> None:
    for frame in frames:
        sink.write(frame, result_of(frame))


def test_lines_appear_when_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("the older file\n")
    with open_sink(f"jsonl:{path}") as sink:
        fill(sink, [frame_of(0), frame_of(1)])
        assert path.read_text() == "the older file\n"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["frame"] for line in lines] == [0, 1]
    assert {line["schema"] for line in lines} == {SCHEMA}
    assert os.listdir(tmp_path) == ["a.jsonl"]


def test_lines_of_a_run_that_failed_are_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("the older file\n")
    with pytest.raises(KeyError), open_sink(f"jsonl:{path}") as sink:
        fill(sink, [frame_of(0)])
        raise KeyError
    assert path.read_text() == "the older file\n"
    assert os.listdir(tmp_path) == ["a.jsonl"]


def test_lines_of_a_live_source_are_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("the line before\n")
    with open_sink(f"jsonl:{path}", live=True) as sink:
        fill(sink, [frame_of(0)])
        before, line = path.read_text().splitlines()
        assert before == "the line before"
        assert json.loads(line)["frame"] == 0


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "a.jsonl"
    link.symlink_to(tmp_path / "real" / "b.jsonl")
    with open_sink(f"jsonl:{link}") as sink:
        fill(sink, [frame_of(0)])
    assert link.is_symlink()
    assert (tmp_path / "real" / "b.jsonl").read_text().count("\n") == 1


def test_pictures_keep_their_names(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with open_sink(f"images:{out}") as sink:
        fill(
            sink,
            [
                frame_of(0, "in/anna.png"),
                frame_of(1, "other/anna.jpg"),
                frame_of(2, "clip.mp4"),
                frame_of(3),
                frame_of(4, "synthetic://?faces=1"),
            ],
        )
    assert sorted(os.listdir(out)) == [
        "anna-2.jpg",
        "anna.jpg",
        "clip-000002.jpg",
        "frame-000003.jpg",
        "frame-000004.jpg",
    ]
    image = cv2.imread(str(out / "anna.jpg"))
    assert image is not None and abs(float(image.mean()) - 40) < 2


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_video_has_every_frame_and_fits_other_sizes(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    frames = [frame_of(i) for i in range(5)] + [frame_of(5, size=(90, 31))]
    with open_sink(f"video:{path}", fps=10) as sink:
        fill(sink, frames)
        assert not path.exists()
    assert os.listdir(tmp_path) == [path.name]
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    levels = []
    while (read := capture.read())[0]:
        width = read[1].shape[1]
        levels.append(float(read[1][:, width // 2].mean()))
    assert capture.get(cv2.CAP_PROP_FPS) == 10
    capture.release()
    assert len(levels) == 6
    assert levels[:5] == pytest.approx([40, 50, 60, 70, 80], abs=5)


def test_a_video_without_a_frame_or_of_a_failed_run_is_not_there(tmp_path: Path) -> None:
    with open_sink(f"video:{tmp_path}/empty.mp4"):
        pass
    with pytest.raises(KeyError), open_sink(f"video:{tmp_path}/failed.mp4") as sink:
        fill(sink, [frame_of(0)])
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_memory_keeps_the_last(tmp_path: Path) -> None:
    sink = MemorySink(limit=2)
    fill(sink, [frame_of(i) for i in range(3)])
    assert [result.frame for result in sink.results] == [1, 2]
    assert isinstance(open_sink("memory:"), MemorySink)


@pytest.mark.parametrize(
    "uri", ["", "jsonl", "jsonl:", "jsonl:?keep=1", "images:", "video:", "memory:x", "mqtt", "x:y"]
)
def test_what_names_no_sink(uri: str) -> None:
    with pytest.raises(UsageError, match="names no sink"):
        open_sink(uri)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("jsonl:a?rotate=1", "did you mean rotate_mib?"),
        ("jsonl:a?fsync=always", "fsync is one of no, line, second"),
        ("jsonl:a?keep=0", "keep is a whole number from 1 to 1000"),
        ("images:a?keep=0", "keep is a whole number from 1"),
        ("video:a.mp4?minutes=0", "minutes is a number from 0.01"),
        ("memory:?keep=1", "takes no options"),
        ("prometheus:9273?keep=1", "takes no options"),
        ("mqtt://host/topic?retain=1", "known keys"),
    ],
)
def test_what_no_sink_can_be_asked_for(uri: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_sink(uri, live=True)
    assert message in str(caught.value)
    assert caught.value.code == "sink.query"


def test_a_full_device_is_told(tmp_path: Path) -> None:
    frame = frame_of(0)
    with pytest.raises(OutputError, match="no space left"), open_sink("jsonl:/dev/full") as sink:
        sink.write(frame, result_of(frame))
