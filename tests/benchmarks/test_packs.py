from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.packs import Pack
from edge.errors import DataError, EdgeError, MissingInput
from tests.benchmarks.makers import flat_picture, write_pack

PICTURES = {"a/1.png": flat_picture(10), "a/2.png": flat_picture(200, side=20)}
ROWS = [
    {"file": "a/1.png", "label": "masked", "split": "train"},
    {"file": "a/2.png", "label": "unmasked", "split": "test"},
]
POINTS = np.arange(20, dtype=np.float32).reshape(2, 5, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "pack", PICTURES, ROWS, points5=POINTS)


def test_a_pack_gives_back_what_was_put_in(folder: Path) -> None:
    pack = Pack.open(folder)
    assert pack.names == tuple(PICTURES)
    assert pack.splits == ("test", "train")
    assert [row["file"] for row in pack.rows()] == list(PICTURES)
    assert [row["file"] for row in pack.rows("test")] == ["a/2.png"]
    for name, picture in PICTURES.items():
        np.testing.assert_array_equal(pack.image(name), picture)
    np.testing.assert_array_equal(pack.points5("a/2.png"), POINTS[1])


def test_a_grey_picture_has_three_channels(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, {"grey": flat_picture(7)[..., 0]}, [{"file": "grey"}])
    np.testing.assert_array_equal(Pack.open(folder).image("grey"), flat_picture(7))


def test_the_digest_follows_every_file(folder: Path) -> None:
    before = Pack.open(folder).digest()
    assert before == Pack.open(folder).digest()
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace("unmasked", "incorrect"))
    assert Pack.open(folder).digest() != before


def test_class_folders_are_a_pack(tmp_path: Path) -> None:
    for label, brightness in (("masked", 9), ("unmasked", 8)):
        (tmp_path / label).mkdir()
        cv2.imwrite(str(tmp_path / label / "x.png"), flat_picture(brightness))
    (tmp_path / "masked" / "notes.txt").write_text("no picture")
    pack = Pack.open(tmp_path)
    assert pack.rows() == [
        {"file": "masked/x.png", "label": "masked"},
        {"file": "unmasked/x.png", "label": "unmasked"},
    ]
    np.testing.assert_array_equal(pack.image("masked/x.png"), flat_picture(9))
    before = pack.digest()
    cv2.imwrite(str(tmp_path / "masked" / "x.png"), flat_picture(1))
    assert pack.digest() != before


def test_points_of_several_faces_are_read_as_arrays(folder: Path) -> None:
    np.savez(folder / "points5.npz", points=POINTS, names=["a/1.png"] * 2, row=[0, 1])
    pack = Pack.open(folder)
    assert pack.arrays("points5")["row"].tolist() == [0, 1]
    with pytest.raises(DataError, match="several faces"):
        pack.points5("a/1.png")


def test_what_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    pack = Pack.open(folder)
    with pytest.raises(DataError, match=r"no picture 'b\.png'"):
        pack.image("b.png")
    with pytest.raises(DataError, match="no split 'val'; it has test, train"):
        pack.rows("val")
    with pytest.raises(MissingInput, match=r"pairs\.csv"):
        pack.table("pairs")
    with pytest.raises(MissingInput, match="no such folder"):
        Pack.open(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInput, match=r"neither images\.npz nor class folders"):
        Pack.open(tmp_path / "empty")


def _images(folder: Path, **changes: Any) -> None:
    with np.load(folder / "images.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(folder / "images.npz", **{**arrays, **changes})


def _huge_claim(folder: Path) -> None:
    """Store an array whose header claims a terabyte."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|u1", "fortran_order": False, "shape": (2**40,)}
    )
    with zipfile.ZipFile(folder / "images.npz", "w") as archive:
        archive.writestr("blob.npy", stream.getvalue() + b"x")


DAMAGE = {
    "cut": lambda f: (f / "images.npz").write_bytes((f / "images.npz").read_bytes()[:-40]),
    "no zip": lambda f: (f / "images.npz").write_bytes(b"hello"),
    "huge claim": _huge_claim,
    "pickled": lambda f: _images(f, names=np.array(["a", {}], dtype=object)),
    "offsets beyond the blob": lambda f: _images(f, off=np.array([0, 10, 10**9])),
    "offsets go back": lambda f: _images(f, off=np.array([0, 10**6, 0])),
    "negative offset": lambda f: _images(f, off=np.array([-5, 0, 5])),
    "too few names": lambda f: _images(f, names=np.array(["a/1.png"])),
    "one name twice": lambda f: _images(f, names=np.array(["a/1.png"] * 2)),
    "foreign label": lambda f: (f / "labels.csv").write_text("file\nother.png\n"),
    "no file column": lambda f: (f / "labels.csv").write_text("name\na/1.png\n"),
    "short row": lambda f: (f / "labels.csv").write_text("file,label\na/1.png\n"),
    "long row": lambda f: (f / "labels.csv").write_text("file\na/1.png,x\n"),
    "no text": lambda f: (f / "labels.csv").write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_pack_is_refused(folder: Path, damage: Any) -> None:
    damage(folder)
    with pytest.raises(DataError, match=r"images\.npz|labels\.csv"):
        Pack.open(folder)


def test_a_damaged_picture_is_named(folder: Path) -> None:
    with np.load(folder / "images.npz") as stored:
        blob = np.zeros_like(stored["blob"])
    _images(folder, blob=blob)
    with pytest.raises(DataError, match=r"'a/1\.png' cannot be decoded"):
        Pack.open(folder).image("a/1.png")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_one_wrong_byte_never_crashes(folder: Path, position: float, byte: int) -> None:
    path = folder / "images.npz"
    content = path.read_bytes()
    broken = bytearray(content)
    broken[int(position * len(broken))] = byte
    path.write_bytes(broken)
    try:
        pack = Pack.open(folder)
        for name in pack.names:
            pack.image(name)
    except EdgeError:
        pass
    finally:
        path.write_bytes(content)
