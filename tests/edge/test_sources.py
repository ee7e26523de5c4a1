"""Sources: what a path is taken for, and the pixels that come out."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import DataError, EdgeError, UsageError
from edge.sources import open_source
from edge.sources.header import SUFFIXES, read_header
from edge.sources.image import read_picture

PICTURE = cv2.GaussianBlur(
    np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8), (0, 0), 2
)


def save(path: Path, image: np.ndarray = PICTURE) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


@settings(max_examples=40)
@given(
    suffix=st.sampled_from(sorted(SUFFIXES - {".pbm", ".pgm", ".dib", ".jpe", ".pnm"})),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
)
def test_the_header_says_the_size_that_is_decoded(suffix: str, width: int, height: int) -> None:
    done, content = cv2.imencode(suffix, np.full((height, width, 3), 70, np.uint8))
    assert done
    header = read_header(content.tobytes())
    assert header is not None
    assert (header.width, header.height) == (width, height)


MAGICS = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"RIFF",
    b"BM",
    b"GIF8",
    b"II*\0",
    b"MM\0*",
    b"P6 ",
]


@given(magic=st.sampled_from(MAGICS), rest=st.binary(max_size=200))
def test_no_bytes_break_the_header_reader(magic: bytes, rest: bytes) -> None:
    header = read_header(magic + rest)
    assert header is None or (header.width >= 0 or header.kind == "bmp")


@settings(max_examples=60)
@given(suffix=st.sampled_from([".png", ".jpg", ".webp", ".bmp", ".tiff"]), data=st.data())
def test_a_damaged_picture_is_refused_or_keeps_its_size(
    suffix: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(cv2.imencode(suffix, PICTURE)[1].tobytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / f"a{suffix}"
    path.write_bytes(content)
    try:
        image = read_picture(str(path))
    except EdgeError as error:
        assert str(path) in str(error)
    else:
        header = read_header(bytes(content))
        assert header is not None
        assert set(image.shape[:2]) == {header.width, header.height}


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".ppm"])
def test_sixteen_bits_become_eight(suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"deep{suffix}", PICTURE.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_picture(str(path)), PICTURE)


def test_grey_and_alpha_become_bgr(tmp_path: Path) -> None:
    grey = save(tmp_path / "grey.png", PICTURE[:, :, 0])
    alpha = save(tmp_path / "alpha.png", np.dstack([PICTURE, PICTURE[:, :, 0]]))
    np.testing.assert_array_equal(read_picture(str(grey)), np.dstack([PICTURE[:, :, 0]] * 3))
    np.testing.assert_array_equal(read_picture(str(alpha)), PICTURE)


def test_the_orientation_that_exif_names_is_applied(tmp_path: Path) -> None:
    content = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(
        content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:]
    )
    image = read_picture(str(path))
    assert image.shape == (64, 48, 3)
    upright = cv2.rotate(PICTURE, cv2.ROTATE_90_CLOCKWISE)
    assert np.abs(image.astype(int) - upright).mean() < 4


def test_a_folder_is_sorted_and_a_bad_picture_leaves_a_gap(tmp_path: Path) -> None:
    for name in ("c.png", "a.png"):
        save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("stray")
    faults: list[EdgeError] = []
    with open_source(str(tmp_path), report=faults.append) as source:
        frames = list(source)
    assert [Path(frame.source).name for frame in frames] == ["a.png", "c.png"]
    assert [frame.index for frame in frames] == [0, 2]
    assert source.skipped == faults and len(faults) == 1
    assert "b.png" in str(faults[0])
    assert source.total == 3 and not source.live


def test_a_pattern_and_a_name_that_looks_like_one(tmp_path: Path) -> None:
    save(tmp_path / "a1.png")
    save(tmp_path / "a2.png")
    odd = save(tmp_path / "b[1].png")
    assert len(list(open_source(f"{tmp_path}/a*.png"))) == 2
    assert [frame.source for frame in open_source(str(odd))] == [str(odd)]


@pytest.mark.parametrize(("suffix", "codec"), [(".avi", "MJPG"), (".mp4", "mp4v")])
def test_a_whole_video_gives_every_frame_and_no_report(
    suffix: str, codec: str, tmp_path: Path
) -> None:
    path = tmp_path / f"clip{suffix}"
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 12.5, (64, 48)
    )
    for i in range(9):
        writer.write(np.roll(PICTURE, 5 * i, axis=1))
    writer.release()
    with open_source(str(path)) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(9))
    assert (source.total, source.fps, source.skipped) == (9, 12.5, [])
    assert np.abs(frames[0].image.astype(int) - PICTURE).mean() < 6
    assert all(a.captured_ns <= b.captured_ns for a, b in itertools.pairwise(frames))


def test_a_drawn_frame_is_the_same_again() -> None:
    uri = "synthetic://?faces=2&masked=1&frames=3&width=320&height=200&seed=5"
    first, second = list(open_source(uri)), list(open_source(uri))
    assert len(first) == 3
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.image, b.image)
    assert not np.array_equal(first[0].image, first[2].image)  # they move
    other = next(iter(open_source(uri.replace("seed=5", "seed=6"))))
    assert not np.array_equal(first[0].image, other.image)


def test_a_drawn_mask_covers_nose_and_mouth() -> None:
    from edge.sources.synthetic import SyntheticSource

    bare = SyntheticSource("synthetic://?faces=1&frames=1&seed=2")
    worn = SyntheticSource("synthetic://?faces=1&masked=1&frames=1&seed=2")
    difference = np.abs(
        next(iter(bare)).image.astype(int) - next(iter(worn)).image.astype(int)
    ).max(2)
    points = [(round(x), round(y)) for x, y in bare.points(0)[0]]
    changed = [int(difference[y - 3 : y + 4, x - 3 : x + 4].mean()) for x, y in points]
    assert max(changed[:2]) <= 2  # the eyes stay
    assert min(changed[2:]) > 20


@settings(max_examples=12)
@given(
    faces=st.integers(0, 4), width=st.integers(16, 400), height=st.integers(16, 400), data=st.data()
)
def test_any_size_and_number_can_be_drawn(
    faces: int, width: int, height: int, data: st.DataObject
) -> None:
    masked = data.draw(st.integers(0, faces))
    uri = f"synthetic://?faces={faces}&masked={masked}&frames=1&width={width}&height={height}"
    (frame,) = open_source(uri)
    assert frame.image.shape == (height, width, 3)


def test_endless_drawn_frames_are_live() -> None:
    assert open_source("synthetic://").live
    assert not open_source("synthetic://?frames=1").live


@pytest.mark.parametrize("key", ["Faces=1", "frames=0", "frames=x", "frames=", "faces=17"])
def test_a_key_that_cannot_be(key: str) -> None:
    with pytest.raises(UsageError):
        open_source(f"synthetic://?{key}")


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(DataError):
        open_source(str(pipe))
    with pytest.raises(DataError):
        read_picture(str(pipe))
