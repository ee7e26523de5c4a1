"""Pictures, folders and videos as they come: each is used, or refused in one line."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.hostile.process import assert_refused, names, run_edge
from tests.makers import write_bundle

RNG = np.random.default_rng(7)
PICTURE = cv2.GaussianBlur(RNG.integers(0, 255, (120, 160, 3), np.uint8), (0, 0), 3)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle"))


def encoded(suffix: str, image: np.ndarray = PICTURE) -> bytes:
    done, content = cv2.imencode(suffix, image)
    assert done
    return content.tobytes()


def png_claiming(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + encoded(".png")[33:]


UNUSABLE = {
    "empty.png": b"",  # nothing
    "text.jpg": b"this is a letter to a friend",  # another thing under a picture's name
    "cut.jpg": encoded(".jpg")[:-400],  # broken off
    "cut.png": encoded(".png")[:-400],
    "cut.webp": encoded(".webp")[:-200],
    "cut.bmp": encoded(".bmp")[:-400],
    "cut.tiff": encoded(".tiff")[:-400],
    "cut.ppm": encoded(".ppm")[:-400],
    "header.jpg": encoded(".jpg")[:20],  # broken off in its header
    "flipped.png": encoded(".png")[:300] + b"\x55" * 40 + encoded(".png")[340:],  # CRC differs
    "huge.png": png_claiming(100_000, 100_000),  # a bomb: 30 GB of pixels
    "wide.png": png_claiming(20_000, 10),
    "nothing.png": png_claiming(0, 0),
    "float.tiff": encoded(".tiff", PICTURE.astype(np.float32)),  # 32-bit samples
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_picture_is_refused(name: str, tmp_path: Path, bundle: Path) -> None:
    picture, out = tmp_path / name, tmp_path / "out"
    picture.write_bytes(UNUSABLE[name])
    out.mkdir()
    ended = run_edge(
        "edge-run", "--source", picture, "--bundle", bundle,
        "--sink", f"jsonl:{out}/a.jsonl", "--sink", f"video:{out}/a.mp4", home=tmp_path,
    )  # fmt: skip
    assert_refused(ended, 65, str(picture))
    assert names(out) == []


def test_a_missing_picture_is_refused(tmp_path: Path, bundle: Path) -> None:
    ended = run_edge("edge-run", "--source", tmp_path / "no.jpg", "--bundle", bundle, home=tmp_path)
    assert_refused(ended, 66, "no.jpg")


GOOD = {
    "one.png": encoded(".png", PICTURE[:1, :1]),  # a single pixel
    "grey.png": encoded(".png", PICTURE[:, :, 0]),
    "alpha.png": encoded(".png", np.dstack([PICTURE, PICTURE[:, :, 0]])),
    "deep.png": encoded(".png", PICTURE.astype(np.uint16) * 257),
    "large.png": encoded(".png", np.full((40, 12_000, 3), 90, np.uint8)),
}


def test_unusual_pictures_work_and_bad_ones_do_not_stop_a_folder(
    tmp_path: Path, bundle: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "notes.txt").write_text("stray")
    (folder / "below.png").mkdir()
    (folder / ".hidden").write_bytes(b"")
    for name, content in {**GOOD, "cut.jpg": UNUSABLE["cut.jpg"]}.items():
        (folder / name).write_bytes(content)
    ended = run_edge(
        "edge-run", "--source", folder, "--bundle", bundle,
        "--sink", f"jsonl:{out}.jsonl", "--sink", f"images:{out}", home=tmp_path,
    )  # fmt: skip
    assert_refused(ended, 65, "cut.jpg")
    lines = [json.loads(line) for line in Path(f"{out}.jsonl").read_text().splitlines()]
    assert [Path(line["source"]).name for line in lines] == sorted(GOOD)
    assert names(out) == sorted(Path(name).stem + ".jpg" for name in GOOD)


def test_a_12000_pixel_square_is_read(tmp_path: Path, bundle: Path) -> None:
    picture = tmp_path / "square.jpg"
    tile = np.full((12_000, 12_000, 3), 120, np.uint8)
    picture.write_bytes(encoded(".jpg", tile))
    ended = run_edge("edge-run", "--source", picture, "--bundle", bundle, home=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["source"] == str(picture)


def test_a_folder_without_a_usable_picture_is_refused(tmp_path: Path, bundle: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "notes.txt").write_text("stray")
    ended = run_edge("edge-run", "--source", folder, "--bundle", bundle, home=tmp_path)
    assert_refused(ended, 65, str(folder))


def write_video(path: Path, count: int = 60) -> None:
    fourcc = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, 25, (160, 120))
    for i in range(count):
        writer.write(np.roll(PICTURE, i * 3, axis=1))
    writer.release()


def test_a_video_that_breaks_off_gives_what_is_readable(tmp_path: Path, bundle: Path) -> None:
    video = tmp_path / "clip.avi"
    write_video(video)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    out = tmp_path / "out.jsonl"
    ended = run_edge(
        "edge-run", "--source", video, "--bundle", bundle, "--sink", f"jsonl:{out}", home=tmp_path
    )
    count = len(out.read_text().splitlines())
    assert 10 < count < 60
    assert_refused(ended, 65, str(video), f"frame {count} of 60")


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_what_is_no_video_is_refused(content: bytes, tmp_path: Path, bundle: Path) -> None:
    video = tmp_path / "clip.mp4"
    video.write_bytes(content)
    ended = run_edge("edge-run", "--source", video, "--bundle", bundle, home=tmp_path)
    assert_refused(ended, 65, str(video))


def test_a_video_without_its_index_is_refused(tmp_path: Path, bundle: Path) -> None:
    video = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(
        str(video), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 25, (160, 120)
    )
    for _ in range(10):
        writer.write(PICTURE)
    writer.release()
    video.write_bytes(video.read_bytes()[:-300])  # an mp4 has its index at its end
    ended = run_edge("edge-run", "--source", video, "--bundle", bundle, home=tmp_path)
    assert_refused(ended, 65, str(video))
