"""Pictures and video of a live source: bounded, and numbered on from run to run."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from pathlib import Path

import cv2
import pytest

from edge.errors import OutputError, UsageError
from edge.sinks import open_sink
from edge.sinks.numbered import Numbered
from tests.edge.results_made import make_pair

SECOND = 1_000_000_000


def test_the_newest_pictures_stay_and_others_are_not_touched(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "holiday.jpg").write_text("mine")
    for run in range(2):
        with open_sink(f"images:{out}?keep=3&every_s=0", live=True) as sink:
            for i in range(4):
                sink.write(*make_pair(i, captured_ns=run * SECOND + i))
    assert sorted(os.listdir(out)) == [
        "holiday.jpg",
        *(f"shot-00000{6 + i}-frame-00000{1 + i}.jpg" for i in range(3)),
    ]
    assert cv2.imread(str(out / "shot-000008-frame-000003.jpg")) is not None


def test_what_a_kill_left_of_a_picture_goes_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / ".0123456789abcdef.part").write_bytes(b"half a picture")
    (tmp_path / ".mine.part").write_text("of another program")
    with open_sink(f"images:{tmp_path}", live=True):
        assert os.listdir(tmp_path) == [".mine.part"]


def test_a_folder_that_goes_is_told_as_one(tmp_path: Path) -> None:
    """Also where the frames come from a file, beside which nothing may be written."""
    clip, out = tmp_path / "clip.mp4", tmp_path / "out"
    clip.touch()
    with open_sink(f"images:{out}?every_s=0", live=True) as sink:
        frame, result = make_pair(0, captured_ns=1)
        frame = dataclasses.replace(frame, source=str(clip))
        sink.write(frame, result)
        shutil.rmtree(out)
        with pytest.raises(OutputError, match="cannot be written"):
            sink.write(frame, result)


def test_a_smaller_bound_holds_from_the_next_picture_on(tmp_path: Path) -> None:
    for keep, left in ((5, 5), (2, 2)):
        with open_sink(f"images:{tmp_path}?keep={keep}&every_s=0", live=True) as sink:
            for i in range(5):
                sink.write(*make_pair(i, captured_ns=i))
        assert len(os.listdir(tmp_path)) == left


def test_a_picture_now_and_then_is_enough(tmp_path: Path) -> None:
    with open_sink(f"images:{tmp_path}", live=True) as sink:
        for i in range(50):
            sink.write(*make_pair(i, captured_ns=i * SECOND // 10))
    frames = sorted(int(name[-10:-4]) for name in os.listdir(tmp_path))
    assert frames == [0, 10, 20, 30, 40]


def test_numbers_go_on_whatever_else_is_there(tmp_path: Path) -> None:
    pattern = re.compile(r"a-([0-9]{6,12})\.x")
    for name in ("a-000009.x", "a-000010.x", "a-1.x", "a-000099.y", "b-000099.x"):
        (tmp_path / name).touch()
    (tmp_path / "a-000050.x").mkdir()
    numbered = Numbered(str(tmp_path), pattern, keep=2)
    assert numbered.next == 11
    (tmp_path / "a-000009.x").unlink()
    numbered.add("a-000011.x")
    assert (tmp_path / "a-000010.x").exists()
    numbered.add("a-000012.x")
    assert not (tmp_path / "a-000010.x").exists()
    assert {"a-1.x", "a-000099.y", "b-000099.x", "a-000050.x"} <= set(os.listdir(tmp_path))


def frames_of(path: Path) -> int:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    count = 0
    while capture.read()[0]:
        count += 1
    capture.release()
    return count


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_video_comes_in_pieces_of_which_the_newest_stay(suffix: str, tmp_path: Path) -> None:
    uri = f"video:{tmp_path}/door{suffix}?minutes=0.05&keep=2&fps=5"
    with open_sink(uri, live=True) as sink:
        for i in range(20):  # ten seconds at two a second: pieces of 3 s
            sink.write(*make_pair(i, captured_ns=i * SECOND // 2))
        assert sorted(p for p in os.listdir(tmp_path) if p[0] != ".") == [
            f"door-000002{suffix}",
            f"door-000003{suffix}",
        ]
    assert sorted(os.listdir(tmp_path)) == [f"door-000003{suffix}", f"door-000004{suffix}"]
    # Six results, half a second apart, at five frames a second: 2.5 s and the last picture.
    assert frames_of(tmp_path / f"door-000003{suffix}") == 13
    with open_sink(uri, live=True) as sink:
        sink.write(*make_pair(0, captured_ns=0))
    assert sorted(os.listdir(tmp_path)) == [f"door-000004{suffix}", f"door-000005{suffix}"]


def test_a_fast_source_is_thinned_and_a_pause_is_not_filled(tmp_path: Path) -> None:
    with open_sink(f"video:{tmp_path}/a.avi?fps=10", live=True) as sink:
        for i in range(60):
            sink.write(*make_pair(i, captured_ns=i * SECOND // 60))
        sink.write(*make_pair(60, captured_ns=100 * SECOND))
    assert frames_of(tmp_path / "a-000001.avi") == 11


def test_what_a_crash_left_of_a_piece_is_removed(tmp_path: Path) -> None:
    torn = tmp_path / ".door-000003.0a1b2c3d.part.mp4"
    foreign = tmp_path / ".window-000003.0a1b2c3d.part.mp4"
    for path in (torn, foreign):
        path.write_bytes(b"half")
    open_sink(f"video:{tmp_path}/door.mp4", live=True).close()
    assert os.listdir(tmp_path) == [foreign.name]


def test_a_piece_outlives_an_error_elsewhere(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyError),
        open_sink(f"video:{tmp_path}/a.avi", live=True) as sink,
    ):
        sink.write(*make_pair(0))
        raise KeyError
    assert os.listdir(tmp_path) == ["a-000001.avi"]


def test_where_no_video_can_be_written_none_is_begun(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.mp4 or \.avi"):
        open_sink(f"video:{tmp_path}/a.mkv", live=True)
    with pytest.raises(OutputError, match="there is no folder"):
        open_sink(f"video:{tmp_path}/none/a.mp4", live=True)
    with pytest.raises(OutputError):
        open_sink("images:/proc/none", live=True)
