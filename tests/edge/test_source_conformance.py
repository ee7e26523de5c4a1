"""What every source holds: files and a network camera for real, other cameras as stand-ins."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from edge.errors import UsageError
from edge.frames import Frame
from edge.sources import Source, open_source
from tests.edge.rtsp import serving
from tests.edge.stand_ins.scene import scene
from tests.edge.stood_in import stood_in

WIDTH, HEIGHT = 96, 64


@dataclass(frozen=True)
class Kind:
    """A kind of source.

    Attributes:
        name: of it; ``MAKERS`` says how one is made.
        camera: it has no end, keeps its own time, and knows the keys of a camera.
        off: how far a pixel may be off on average, of 255.
        size: keys that make its picture as large as the scene.
    """

    name: str
    camera: bool = False
    off: float = 0.0
    size: str = ""


_SIZED = f"width={WIDTH}&height={HEIGHT}"
KINDS = (
    Kind("picture"),
    Kind("folder"),
    Kind("video", off=6),
    Kind("synthetic", off=255),
    Kind("looped", camera=True),
    Kind("v4l2", camera=True, size=_SIZED),
    Kind("csi", camera=True, size=_SIZED),
    Kind("picamera", camera=True, size=_SIZED),
    Kind("rtsp", camera=True, off=10),
)
CAMERAS = [kind for kind in KINDS if kind.camera]


class Place:
    """Where sources are made that show the scene."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, rtsp: Callable[[], str]
    ) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.rtsp = rtsp

    def uri(self, kind: Kind, keys: str | None = None) -> str:
        base = MAKERS[kind.name](self)
        wanted = kind.size if keys is None else keys
        return base + ("&" if "?" in base else "?") + wanted if wanted else base

    def open(self, kind: Kind, keys: str | None = None) -> Source:
        return open_source(self.uri(kind, keys))


def picture(place: Place) -> str:
    path = place.folder / "scene.png"
    cv2.imwrite(str(path), scene(WIDTH, HEIGHT))
    return str(path)


def folder(place: Place) -> str:
    made = place.folder / "three pictures"
    made.mkdir(exist_ok=True)
    for name in "abc":
        cv2.imwrite(str(made / f"{name}.png"), scene(WIDTH, HEIGHT))
    return str(made)


def video(place: Place) -> str:
    path = str(place.folder / "scene.avi")
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, codec, 25, (WIDTH, HEIGHT))
    for _ in range(5):
        writer.write(scene(WIDTH, HEIGHT))
    writer.release()
    return path


def synthetic(place: Place) -> str:
    return f"synthetic://?faces=0&frames=4&width={WIDTH}&height={HEIGHT}"


def looped(place: Place) -> str:
    return f"file://{quote(folder(place))}?loop=1&pace=1&fps=200"


def v4l2(place: Place) -> str:
    stand_in_for_opencv(place)
    device = place.folder / "video0"
    device.touch()
    return f"v4l2://{device}"


def csi(place: Place) -> str:
    stand_in_for_opencv(place)
    place.monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda _: True)
    return "csi://0"


def picamera(place: Place) -> str:
    place.monkeypatch.delenv("STAND_IN_CAMERA", raising=False)
    return "picamera://0"


def rtsp_camera(place: Place) -> str:
    return f"rtsp://{place.rtsp()}"


def stand_in_for_opencv(place: Place) -> None:
    from opencv import StandInCapture

    place.monkeypatch.setattr(cv2, "VideoCapture", StandInCapture)


MAKERS: dict[str, Callable[[Place], str]] = {
    "picture": picture,
    "folder": folder,
    "video": video,
    "synthetic": synthetic,
    "looped": looped,
    "v4l2": v4l2,
    "csi": csi,
    "picamera": picamera,
    "rtsp": rtsp_camera,
}


@pytest.fixture(scope="module")
def rtsp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Gives the address of a real server, which is started when it is first asked for."""
    with contextlib.ExitStack() as stack:
        addresses: list[str] = []

        def address() -> str:
            if not addresses:
                addresses.append(stack.enter_context(serving(tmp_path_factory.mktemp("rtsp"))))
            return addresses[0]

        yield address


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rtsp: Callable[[], str]
) -> Iterator[Place]:
    with stood_in():
        yield Place(tmp_path, monkeypatch, rtsp)


def some(source: Source, count: int = 4) -> list[Frame]:
    return list(itertools.islice(source, count))


def off_by(image: np.ndarray, expected: np.ndarray) -> float:
    assert image.shape == expected.shape
    return float(np.abs(image.astype(int) - expected).mean())


every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
every_camera = pytest.mark.parametrize("kind", CAMERAS, ids=lambda kind: kind.name)


@every_kind
def test_frames(kind: Kind, place: Place) -> None:
    before_ns = time.monotonic_ns() - 50_000_000  # a sensor's time is that of its first row
    with place.open(kind) as source:
        frames = some(source)
        assert (source.live, source.paced) == (kind.camera, kind.camera)
        assert (source.total is None) == kind.camera
        assert 1 <= source.fps <= 1000
        assert source.uri and source.skipped == []
        if source.total is not None:
            assert len(frames) == min(4, source.total)
    for frame in frames:
        assert frame.image.dtype == np.uint8 and frame.image.shape == (HEIGHT, WIDTH, 3)
        assert frame.image.flags.c_contiguous and frame.image.flags.writeable
        assert off_by(frame.image, scene(WIDTH, HEIGHT)) <= kind.off
        assert frame.source
    assert [frame.index for frame in frames] == list(range(len(frames)))
    times = [before_ns, *(frame.captured_ns for frame in frames), time.monotonic_ns()]
    assert times == sorted(times)
    assert all(a.image is not b.image for a, b in itertools.pairwise(frames))


@every_kind
def test_a_closed_source_gives_nothing(kind: Kind, place: Place) -> None:
    source = place.open(kind)
    source.close()
    source.close()
    with pytest.raises(UsageError, match="closed"):
        iter(source)


@every_kind
def test_a_source_can_be_opened_again(kind: Kind, place: Place) -> None:
    uri = place.uri(kind)
    for _ in range(2):
        with open_source(uri) as source:
            assert len(some(source, 1)) == 1


ORIENTATIONS = [
    (kind, rotate, flip)
    for kind in CAMERAS
    for rotate in (0, 90, 180, 270)
    for flip in ("none", "h", "v", "hv")
    if kind.name != "rtsp" or (rotate, flip) == (90, "v")  # opening a stream takes a second
]


@pytest.mark.parametrize(("kind", "rotate", "flip"), ORIENTATIONS)
def test_it_is_turned_clockwise_and_then_mirrored(
    kind: Kind, rotate: int, flip: str, place: Place
) -> None:
    expected = np.rot90(scene(WIDTH, HEIGHT), -rotate // 90)
    expected = expected[:, ::-1] if "h" in flip else expected
    expected = expected[::-1] if "v" in flip else expected
    keys = "&".join(filter(None, (kind.size, f"rotate={rotate}", f"flip={flip}")))
    with place.open(kind, keys) as source:
        (frame,) = some(source, 1)
    assert off_by(frame.image, expected) <= kind.off
    assert frame.image.flags.c_contiguous
    if frame.small is not None:
        assert (frame.small.shape[0] < frame.small.shape[1]) == (rotate in (0, 180))


@every_camera
def test_it_is_as_large_as_asked(kind: Kind, place: Place) -> None:
    with place.open(kind, "width=48&height=32") as source:
        (frame,) = some(source, 1)
    assert off_by(frame.image, scene(48, 32)) <= kind.off + 2


#: The others have an image processor that crops to the shape that it is asked for.
SCALED = [kind for kind in CAMERAS if kind.name not in ("csi", "picamera")]


@pytest.mark.parametrize("kind", SCALED, ids=lambda kind: kind.name)
def test_it_is_never_stretched(kind: Kind, place: Place) -> None:
    with place.open(kind, "width=48&height=48") as source:
        (frame,) = some(source, 1)
    assert frame.image.shape[:2] == (32, 48)


@every_camera
def test_it_is_as_fast_as_asked_and_no_faster(kind: Kind, place: Place) -> None:
    keys = "&".join(filter(None, (kind.size, "fps=20")))
    if kind.name == "looped":
        uri = f"file://{quote(folder(place))}?loop=1&pace=1&fps=20"
    else:
        uri = place.uri(kind, keys)
    with open_source(uri) as source:
        assert source.fps == 20
        frames = some(source, 12)[4:]  # a stream may begin with a burst
    period_ms = (frames[-1].captured_ns - frames[0].captured_ns) / 7e6
    assert 45 < period_ms < 100


@every_camera
@pytest.mark.parametrize(
    ("keys", "hint"),
    [("widht=640", "width"), ("width=x", "whole number"), ("height=-1", "whole number")],
)
def test_a_key_that_is_wrong(kind: Kind, keys: str, hint: str, place: Place) -> None:
    with pytest.raises(UsageError) as caught:
        place.open(kind, keys)
    assert caught.value.code == "source.query" and hint in caught.value.hint


@every_camera
@pytest.mark.parametrize("keys", ["rotate=45", "flip=x", "fps=-1", "width=640", "fps=1001"])
def test_a_value_that_cannot_be(kind: Kind, keys: str, place: Place) -> None:
    with pytest.raises(UsageError) as caught:
        place.open(kind, keys)
    assert caught.value.code == "source.query"
