"""V4L2, CSI and RTSP cameras, and files that play: what is theirs alone."""

from __future__ import annotations

import dataclasses
import os
import queue
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.capture import Capture, CaptureSettings
from edge.errors import (
    ConfigError,
    DataError,
    EdgeError,
    MissingInput,
    TransientError,
    UnavailableError,
    UsageError,
)
from edge.events import Event
from edge.sources import check_camera, device_of, open_source
from edge.sources.csi import CsiView, pipeline_of
from edge.sources.ffmpeg import open_ffmpeg
from edge.sources.looped import LoopedView
from edge.sources.picamera import PicameraView
from edge.sources.rtsp import RtspSource, RtspView
from edge.sources.v4l2 import V4L2View
from tests.edge.rtsp import Camera, free_port
from tests.edge.stand_ins.scene import scene
from tests.edge.stood_in import stood_in


@pytest.fixture
def opencv(monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    with stood_in():
        from opencv import StandInCapture

        monkeypatch.setattr(cv2, "VideoCapture", StandInCapture)
        yield StandInCapture


@pytest.fixture
def device(tmp_path: Path) -> str:
    path = tmp_path / "video0"
    path.touch()
    return f"v4l2://{path}"


def test_the_drivers_time_is_kept_unless_it_is_another_clocks(
    opencv: type, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_source(device) as source:
        frame = next(iter(source))
        stamp_ns = source._capture._stamp_ns  # type: ignore[attr-defined]
        assert abs(frame.captured_ns - stamp_ns) < 1000
    for wrong_ms in (0.0, 1e15, -5.0):
        monkeypatch.setattr(opencv, "get", lambda self, key, ms=wrong_ms: ms)
        before = time.monotonic_ns()
        with open_source(device) as source:
            assert before <= next(iter(source)).captured_ns <= time.monotonic_ns()


def test_a_format_that_the_camera_does_not_send_is_refused(opencv: type, device: str) -> None:
    with open_source(f"{device}?fourcc=MJPG&width=96&height=64") as source:
        assert next(iter(source)).image.shape == (64, 96, 3)
    with pytest.raises(UsageError, match="NV12") as caught:
        open_source(f"{device}?fourcc=NV12")
    assert caught.value.code == "v4l2.fourcc"


def test_a_camera_that_is_pulled_out_while_it_is_set_up_is_waited_for(
    opencv: type, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses the format that it sent a moment ago; only one that gives pictures means it."""
    monkeypatch.setattr(opencv, "set", lambda self, key, value: False)
    monkeypatch.setattr(opencv, "grab", lambda self: False)
    with pytest.raises(TransientError) as caught:
        open_source(f"{device}?fourcc=MJPG")
    assert caught.value.code == "v4l2.lost"


def test_some_damaged_pictures_are_passed_over_and_many_are_not(
    opencv: type, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    retrieve = opencv.retrieve  # type: ignore[attr-defined]
    answers = iter([False, False, True])
    monkeypatch.setattr(
        opencv, "retrieve", lambda self: retrieve(self) if next(answers) else (False, None)
    )
    with open_source(f"{device}?fps=1000") as source:
        assert next(iter(source)).index == 0
    monkeypatch.setattr(opencv, "retrieve", lambda self: (False, None))
    with pytest.raises(TransientError), open_source(f"{device}?fps=1000") as source:
        next(iter(source))


def test_a_camera_that_is_pulled_out_is_transient(opencv: type, device: str) -> None:
    with open_source(device) as source:
        frames = iter(source)
        next(frames)
        source._capture.release()  # type: ignore[attr-defined]
        with pytest.raises(TransientError) as caught:
            next(frames)
    assert caught.value.code == "v4l2.lost"


@pytest.mark.parametrize(
    ("uri", "error", "code"),
    [
        ("v4l2:///dev/video-that-is-not-there", UnavailableError, "v4l2.missing"),
        ("v4l2://video0", UsageError, "source.uri"),
        ("v4l2://", UsageError, "source.uri"),
        ("v4l2:///dev/video0?fourcc=H264", UsageError, "source.query"),
        ("csi://", UsageError, "source.uri"),
        ("csi://one", UsageError, "source.uri"),
        ("csi://0 ! filesink location=x", UsageError, "source.uri"),
        ("csi://0", UnavailableError, "csi.gstreamer"),
        ("picamera://99", UsageError, "source.uri"),
        ("picamera:///dev/video0", UsageError, "source.uri"),
    ],
)
def test_what_cannot_be_opened(uri: str, error: type[EdgeError], code: str) -> None:
    with pytest.raises(error) as caught:
        open_source(uri)
    assert caught.value.code == code and "\n" not in str(caught.value)


def test_a_camera_this_user_may_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "video0"
    path.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may open everything
    with pytest.raises(UnavailableError, match="video") as caught:
        open_source(f"v4l2://{path}")
    assert caught.value.code == "v4l2.permission"


def test_what_a_camera_is_asked_for_is_known_before_it_is_opened() -> None:
    view = check_camera("/dev/video0")
    assert view is not None and view.rotate == "0"
    view = check_camera("v4l2:///dev/v4l/by-id/x?fps=7.5&rotate=90")
    assert view is not None and (view.fps, view.rotate) == (7.5, "90")
    assert device_of("v4l2:///dev/v4l/by-id/x?fps=7.5") == "/dev/v4l/by-id/x"
    assert device_of("picamera://0") is None and device_of("clip.mp4") is None
    assert check_camera("synthetic://") is None and check_camera("clip.mp4") is None


@pytest.mark.parametrize("kind", [V4L2View, PicameraView, CsiView, RtspView, LoopedView])
def test_the_page_names_every_key(kind: type) -> None:
    page = (Path(__file__).parents[2] / "docs" / "cameras.md").read_text(encoding="utf-8")
    table = page.partition("## Keys")[2].partition("\n\nFrames")[0]
    assert [f.name for f in dataclasses.fields(kind) if f"`{f.name}`" not in table] == []


def test_only_numbers_enter_the_pipeline() -> None:
    view = CsiView(width=1920, height=1080, fps=29.97, rotate="270", flip="h", mode=2)
    assert pipeline_of(1, view) == (
        "nvarguscamerasrc sensor-id=1 sensor-mode=2 ! "
        "video/x-raw(memory:NVMM),format=NV12,width=1920,height=1080,framerate=29970/1000 ! "
        "nvvidconv flip-method=5 ! video/x-raw,format=BGRx ! videoconvert ! "
        "video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
    )


_PIPELINE_PROBE = """
import sys
try:
    import cv2
except ImportError:
    sys.exit(77)
if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
    sys.exit(77)
capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_GSTREAMER)
readable, image = capture.read()
print(readable, image.shape, image.dtype, capture.get(cv2.CAP_PROP_FPS))
"""


def test_gstreamer_itself_takes_the_pipeline() -> None:
    """The two elements that only a Jetson has are replaced; the rest is as it will be there."""
    line = pipeline_of(0, CsiView(width=320, height=240, fps=15.0))
    line = line.replace("nvarguscamerasrc sensor-id=0 sensor-mode=-1", "videotestsrc is-live=true")
    line = line.replace("nvvidconv flip-method=0", "videoconvert").replace("(memory:NVMM)", "")
    assert "nv" not in line.replace("convert", "")
    done = subprocess.run(
        ["/usr/bin/python3", "-c", _PIPELINE_PROBE, line], capture_output=True, timeout=60
    )
    if done.returncode == 77:
        pytest.skip("no OpenCV with GStreamer: sudo apt install python3-opencv")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == "True (240, 320, 3) uint8 15.0"


@pytest.mark.parametrize(
    ("uri", "error", "code"),
    [
        ("rtsp://user:secret@host/x", UsageError, "rtsp.password"),
        ("rtsp://user:sec@ret@host/x", UsageError, "rtsp.password"),
        ("rtsp://host/x?password=secret", UsageError, "source.query"),
        ("rtsp://host/x?channel=1", UsageError, "source.query"),
        ("rtsp://host:0/x", UsageError, "source.uri"),
        ("rtsp://host:70000/x", UsageError, "source.uri"),
        ("rtsp:///x", UsageError, "source.uri"),
        ("rtsp://ho st/x", UsageError, "source.uri"),
        ("rtsp://host/x?password_file=/x", UsageError, "source.uri"),
        ("rtsp://u@host/x?password_file=/not/there", MissingInput, "secret.missing"),
        ("rtsp://u@host/x?password_file=/etc/hostname", ConfigError, "secret.mode"),
    ],
)
def test_an_address_that_cannot_be(uri: str, error: type[EdgeError], code: str) -> None:
    with pytest.raises(error) as caught:
        open_source(uri)
    assert caught.value.code == code
    assert "secret" not in str(caught.value).replace("secret.", "") and "ret@" not in str(
        caught.value
    )


def test_a_camera_with_keys_of_its_own() -> None:
    with pytest.raises(UsageError) as caught:
        RtspSource.check("rtsp://host/cam?channel=1&subtype=0")
    assert "query=" in caught.value.hint
    view = RtspSource.check("rtsp://host/cam?query=channel=1%26subtype=0&fps=5")
    assert (view.fps, getattr(view, "query")) == (5, "channel=1&subtype=0")  # noqa: B009


def test_a_password_is_read_from_its_file_and_shown_nowhere(tmp_path: Path) -> None:
    port = free_port()
    camera = Camera(tmp_path, port, login="viewer:pa@ss/w:rd")
    try:
        secret = tmp_path / "secret"
        secret.touch(0o600)
        secret.write_text("pa@ss/w:rd\n")
        uri = f"rtsp://viewer@127.0.0.1:{port}/cam?password_file={secret}"
        with open_source(uri) as source:
            frame = next(iter(source))
            assert source.uri == frame.source == f"rtsp://127.0.0.1:{port}/cam"
        secret.write_text("wrong\n")
        with pytest.raises(TransientError) as caught:
            open_source(uri)
        assert caught.value.code == "rtsp.refused" and "wrong" not in str(caught.value)
        assert "pa@ss" not in repr(vars(source))
    finally:
        camera.lose_power()
    with pytest.raises(TransientError) as caught:
        open_source(uri)
    assert caught.value.code == "rtsp.unreachable"


def test_a_network_camera_that_hangs_and_one_that_loses_power_come_back(tmp_path: Path) -> None:
    port = free_port()
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    hasty = CaptureSettings(first_pause_s=0.1, longest_pause_s=0.3)
    camera = Camera(tmp_path, port)
    try:
        with Capture(
            f"rtsp://127.0.0.1:{port}/cam", listener=events.put, settings=hasty
        ) as capture:
            first = capture.take(30)
            assert first is not None
            assert np.abs(first.image.astype(int) - scene(96, 64)).mean() < 10
            os.kill(camera.pid, signal.SIGSTOP)
            assert events.get(timeout=30).kind == "camera.lost"
            os.kill(camera.pid, signal.SIGCONT)
            assert events.get(timeout=30).kind == "camera.back"
            camera.lose_power()
            assert events.get(timeout=30).kind == "camera.lost"
            camera = Camera(tmp_path, port)
            assert events.get(timeout=30).kind == "camera.back"
            capture.take(0)
            last = capture.take(30)
            assert last is not None and last.index > first.index
            assert capture.reopened == 2
    finally:
        camera.lose_power()


def test_ffmpeg_keeps_to_the_protocols_that_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "clip.avi")
    writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25, (96, 64))
    writer.write(scene(96, 64))
    writer.release()
    for before in (None, "threads;1"):
        if before is not None:
            monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", before)
        for protocol, opens in (("tcp", False), ("file", True)):
            capture = open_ffmpeg(path, {"protocol_whitelist": protocol})
            assert capture.isOpened() == opens
            capture.release()
            assert os.environ.get("OPENCV_FFMPEG_CAPTURE_OPTIONS") == before


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in "ab":
        cv2.imwrite(str(folder / f"{name}.png"), scene(32, 24))
    (folder / "c.png").write_bytes(b"no picture")
    return folder


def test_a_folder_plays_round_and_round_and_reports_a_fault_once(pictures: Path) -> None:
    faults: list[EdgeError] = []
    with open_source(f"file://{pictures}?loop=1", report=faults.append) as source:
        assert source.live and not source.paced
        frames = list(islice(source, 7))
    assert [frame.index for frame in frames] == list(range(7))
    assert [Path(frame.source).name for frame in frames] == [f"{n}.png" for n in "abababa"]
    assert len(faults) == len(source.skipped) == 1


def test_a_file_plays_once_unless_it_is_looped(pictures: Path) -> None:
    with open_source(f"file://{pictures}?pace=1&fps=1000") as source:
        assert not source.live and source.paced and source.total == 3
        assert len(list(source)) == 2


def test_a_loop_of_nothing_ends(pictures: Path) -> None:
    with open_source(f"file://{pictures}?loop=1") as source:
        frames = iter(source)
        next(frames)
        for name in "ab":
            (pictures / f"{name}.png").write_bytes(b"damaged")
        with pytest.raises(DataError) as caught:
            list(frames)
    assert caught.value.code == "source.nothing"


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("file://", UsageError),
        ("file:///not/there", MissingInput),
        ("file:///x%00y", UsageError),
        ("file:///tmp?loop=maybe", UsageError),
    ],
)
def test_a_file_that_cannot_play(uri: str, error: type[EdgeError]) -> None:
    with pytest.raises(error):
        open_source(uri)
