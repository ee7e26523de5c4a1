"""The Raspberry Pi's camera: picamera2 used as its own source defines it."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge.sources.picamera as subject
from edge.errors import EdgeError, TransientError, UnavailableError, UsageError
from edge.sources import open_source
from tests.edge.stand_ins.scene import scene
from tests.edge.stood_in import STAND_INS, stood_in

API: dict[str, Any] = json.loads((STAND_INS / "picamera2-0.3.38.json").read_text())
SOURCE = ast.parse(Path(subject.__file__).read_text())


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The stand-in, as ``import picamera2`` finds it."""
    monkeypatch.delenv("STAND_IN_CAMERA", raising=False)
    with stood_in():
        yield importlib.import_module("picamera2")


def calls(owner: str) -> Iterator[ast.Call]:
    """Yield the calls of methods of a name, such as ``self._camera``."""
    for node in ast.walk(SOURCE):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if ast.unparse(node.func.value) == owner:
                yield node


@pytest.mark.parametrize(
    ("owner", "kind", "least"),
    [
        ("self._camera", "Picamera2", 7),
        ("library.Picamera2", "Picamera2", 1),
        ("request", "CompletedRequest", 3),
    ],
)
def test_every_call_is_one_that_picamera2_has(owner: str, kind: str, least: int) -> None:
    methods = API["classes"][kind]
    found = list(calls(owner))
    assert len({ast.unparse(call.func) for call in found}) >= least
    for call in found:
        assert isinstance(call.func, ast.Attribute)
        arguments = methods[call.func.attr]
        assert len(call.args) <= len(arguments)
        assert {keyword.arg for keyword in call.keywords} <= set(arguments), call.func.attr


def test_the_constructor_is_called_as_it_is() -> None:
    (call,) = calls("library")
    assert ast.unparse(call.func) == "library.Picamera2"
    assert API["classes"]["Picamera2"]["__init__"][0] == "camera_num"
    assert len(call.args) == 1 and call.keywords == []


def test_formats_and_keys_are_those_of_picamera2() -> None:
    written = {n.value for n in ast.walk(SOURCE) if isinstance(n, ast.Constant)}
    assert {"RGB888", "YUV420"} <= written
    assert "RGB888" in API["formats"]["RGB_FORMATS"]
    assert "YUV420" in API["formats"]["YUV_FORMATS"]
    streams = [n for n in ast.walk(SOURCE) if isinstance(n, ast.Dict) and n.keys]
    keys = {ast.literal_eval(key) for n in streams for key in n.keys if key is not None}
    assert keys & set(API["stream_keys"]) == {"format", "size"}


def test_the_stand_in_has_the_same_signatures(library: ModuleType) -> None:
    for kind, methods in API["classes"].items():
        stand_in = getattr(library, kind)
        names = [name for name in vars(stand_in) if name in methods and name != "__init__"]
        assert len(names) >= 3
        for name in names:
            here = [p for p in inspect.signature(getattr(stand_in, name)).parameters if p != "self"]
            assert here == methods[name][: len(here)], name


def test_the_small_picture_is_the_large_one_made_smaller(library: ModuleType) -> None:
    """214 pixels a row are padded to 256: a reader of YUV420 without its stride shows stripes."""
    uri = "picamera://0?width=426&height=240&fps=100&small_width=214&rotate=180&flip=h"
    with open_source(uri) as source:
        (frame,) = islice(source, 1)
    expected = scene(426, 240)[::-1]
    np.testing.assert_array_equal(frame.image, expected)
    assert frame.small is not None and frame.small.shape == (120, 214, 3)
    assert frame.small.flags.c_contiguous
    reduced = cv2.resize(expected, (214, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(frame.small.astype(int) - reduced).mean() < 3


@settings(max_examples=40)
@given(width=st.integers(1, 60), height=st.integers(1, 40), padding=st.integers(0, 40))
def test_padding_is_cut_at_any_size(width: int, height: int, padding: int) -> None:
    width, height, stride = 2 * width, 2 * height, 2 * (width + padding)
    with stood_in():
        planes = importlib.import_module("picamera2")._planes
    image = scene(width, height)
    got = subject._bgr(planes(image, stride), width)
    unpadded = subject._bgr(planes(image, width), width)
    np.testing.assert_array_equal(got, unpadded)


def test_every_request_is_given_back_even_when_a_picture_cannot_be_made(
    library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_source("picamera://0?width=32&height=32&fps=1000&small_width=0") as source:
        assert len(list(islice(source, 30))) == 30  # more than there are buffers
        camera = source._camera  # type: ignore[attr-defined]
        assert camera.given == camera.released == 30

        def broken(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr(library.CompletedRequest, "make_array", broken)
        with pytest.raises(MemoryError):
            next(iter(source))
        assert camera.given == camera.released == 31
    assert not camera.is_open and not camera.started


def test_the_sensors_time_is_told_in_the_clock_of_everything_else(
    library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A board that slept for an hour has clocks an hour apart."""
    real = time.clock_gettime_ns
    hour_ns = 3_600_000_000_000

    def after_sleep(clock: int) -> int:
        return real(clock) + (hour_ns if clock == time.CLOCK_BOOTTIME else 0)

    monkeypatch.setattr(time, "clock_gettime_ns", after_sleep)
    with open_source("picamera://0?width=32&height=32") as source:
        frame = next(iter(source))
    assert 0 < time.monotonic_ns() - frame.captured_ns < 2_000_000_000


def test_keys_become_controls(library: ModuleType) -> None:
    keys = "fps=15&af=continuous&exposure_us=8000&gain=2.5&brightness=-0.2"
    with open_source(f"picamera://0?{keys}") as source:
        configuration = source._camera.camera_configuration()  # type: ignore[attr-defined]
    assert configuration["controls"] == {
        "FrameDurationLimits": (66667, 66667),
        "AfMode": 2,
        "ExposureTime": 8000,
        "AnalogueGain": 2.5,
        "Brightness": -0.2,
    }
    assert configuration["main"]["size"] == (1280, 720)
    assert configuration["lores"]["size"] == (640, 360)
    with open_source("picamera://0?lens=0.5&width=400&height=300") as source:
        configuration = source._camera.camera_configuration()  # type: ignore[attr-defined]
    assert configuration["controls"]["AfMode"] == 0
    assert configuration["controls"]["LensPosition"] == 0.5
    assert configuration["lores"] is None  # as large as the main one


@pytest.mark.parametrize(
    ("mood", "error", "code"),
    [
        ("unplugged", UnavailableError, "picamera.missing"),
        ("busy", UnavailableError, "picamera.busy"),
        ("other", UsageError, "picamera.format"),
        ("shaken", TransientError, "picamera.lost"),
        ("full", TransientError, "picamera.memory"),
        ("silent", TransientError, "picamera.lost"),
    ],
)
def test_what_goes_wrong_is_told(
    mood: str,
    error: type[EdgeError],
    code: str,
    library: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "mood").write_text(mood)
    monkeypatch.setenv("STAND_IN_CAMERA", str(tmp_path / "mood"))
    with pytest.raises(error) as caught, open_source("picamera://0") as source:
        next(iter(source))
    assert caught.value.code == code and caught.value.hint
    (tmp_path / "mood").write_text("well")
    with open_source("picamera://0") as source:  # nothing was left open
        next(iter(source))


def test_a_control_that_the_camera_has_not_is_refused(
    library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "ADVERTISED", library.ADVERTISED - {"AfMode"})
    with pytest.raises(UsageError, match="AfMode"):
        open_source("picamera://0?af=auto")


def test_without_picamera2_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(UnavailableError, match="picamera2") as caught:
        open_source("picamera://0")
    assert "apt install python3-picamera2" in caught.value.hint
    assert "--system-site-packages" in caught.value.hint
