"""Options of a URI, and passwords in files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError, EdgeError, MissingInput, UsageError
from edge.query import allowed, nearest, read_query, shown, split_query
from edge.secret_file import read_secret
from edge.settings import Rule, setting


@dataclass(frozen=True, slots=True)
class Camera:
    width: int = setting(640, "pixels", low=16, high=8192)
    fps: float = setting(25.0, "frames a second", low=0.1, high=1000)
    flip: str = setting("", "mirrored", choices=("h", "v", "hv"))
    loop: bool = setting(False, "again and again")
    name: str = setting("", "of it")


def read(uri: str) -> tuple[str, Camera]:
    return read_query(uri, Camera, code="source.query")


def test_what_is_not_given_is_as_the_dataclass_has_it() -> None:
    assert read("v4l2:///dev/video0") == ("v4l2:///dev/video0", Camera())
    assert read("v4l2:///dev/video0?") == ("v4l2:///dev/video0", Camera())


def test_every_kind_of_value_is_read() -> None:
    place, camera = read("x:/a+b?width=800&fps=12.5&flip=hv&loop=1&name=%C3%A9+%26%3F")
    assert place == "x:/a+b"
    assert camera == Camera(800, 12.5, "hv", True, "é+&?")
    assert read("x:?loop=no")[1].loop is False


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("widht=800", "unknown key 'widht'; did you mean width?"),
        ("zzz=1", "known keys: width, fps, flip, loop, name"),
        ("width", "'width' has no value"),
        ("width=1&width=2", "width comes twice"),
        ("width=8", "width is a whole number from 16 to 8192"),
        ("width=1e3", "width is a whole number"),
        ("width=99999999999999999999999", "width is a whole number"),
        ("width=٣٢", "width is a whole number"),
        ("fps=nan", "fps is a number from 0.1 to 1000"),
        ("fps=inf", "fps is a number"),
        ("fps=1_0", "fps is a number"),
        ("flip=x", "flip is one of h, v, hv"),
        ("loop=maybe", "loop is 1 or 0"),
        ("name=", "name is a text"),
        ("name=a%0Ab", "control character"),
        ("na%00me=a", "unknown key"),
        ("a\nb=c", "control character"),
    ],
)
def test_what_is_refused(query: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(f"x:place?{query}")
    assert message in str(caught.value)
    assert caught.value.code == "source.query"


def test_a_password_in_a_uri_is_not_repeated() -> None:
    uri = "rtsp://ada:hunter2@camera:554/live?pasword=hunter2"
    assert shown(uri) == "rtsp://ada:***@camera:554/live"
    with pytest.raises(UsageError) as caught:
        read(uri)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(UsageError) as caught:
        split_query("rtsp://ada:hunter2@" + "a" * 9999, code="x")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "password", ["hunter2", "hun/ter2", "hun@ter2", "hun:ter2", "hunter2?x", ""]
)
def test_no_password_is_shown_however_it_is_spelt(password: str) -> None:
    text = shown(f"rtsp://ada:{password}@camera:554/live")
    assert text.startswith("rtsp://ada:***@")
    assert "hun" not in text and "ter2" not in text


@pytest.mark.parametrize(
    "uri",
    [
        "mqtt://ada@host:1883/a:b@c",
        "mqtt://host:1883/a@b",
        "mqtt://[::1]:1883/a@b",
        "rtsp://host:554",
        "jsonl:/a/b:c@d.jsonl",
        "v4l2:///dev/video0",
        "file:///a:b@c.mp4",
    ],
)
def test_what_is_no_password_is_shown(uri: str) -> None:
    assert shown(uri) == uri


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        place, _ = read(text)
    except EdgeError as error:
        assert "\n" not in str(error)
    else:
        assert text.startswith(place)


@given(st.integers(16, 8192), st.floats(0.1, 1000), st.booleans())
def test_what_is_written_is_read(width: int, fps: float, loop: bool) -> None:
    uri = f"x:?width={width}&fps={fps:.6f}&loop={loop}"
    assert read(uri)[1] == Camera(width, float(f"{fps:.6f}"), "", loop)


def test_a_rule_is_told_in_words() -> None:
    assert allowed(int, Rule("")) == "a whole number"
    assert allowed(float, Rule("", low=0)) == "a number from 0 on"
    assert nearest("x", []) == "it takes no keys"


def write_secret(path: Path, content: bytes, mode: int = 0o600) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o640])
def test_the_first_line_of_a_closed_file_is_the_password(tmp_path: Path, mode: int) -> None:
    assert read_secret(write_secret(tmp_path / "p", "pä ss\r\nmore\n".encode(), mode)) == "pä ss"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o666, 0o601])
def test_a_password_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = write_secret(tmp_path / "p", b"hunter2", mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}") as caught:
        read_secret(path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\nnext", b"\xff\xfe", b"a\0b", b"x" * 5000])
def test_a_file_without_a_password_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigError, match="holds no password"):
        read_secret(write_secret(tmp_path / "p", content))


def test_a_password_file_is_there_and_a_file(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no such file"):
        read_secret(str(tmp_path / "none"))
    with pytest.raises(MissingInput):
        read_secret("a\0b")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ConfigError, match="plain file"):
            read_secret(str(place))
