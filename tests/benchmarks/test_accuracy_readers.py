"""Folders of pictures, boxes and pairs that people bring; and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.faces import row_box
from benchmarks.packs import Pack
from benchmarks.tasks.pair_folder import PairFolder
from benchmarks.tasks.people import FOLDS, MOST_PAIRS, read_pairs
from edge.errors import DataError, EdgeError, MissingInput
from tests.benchmarks.makers import flat_picture, write_pack


def _write(path: Path, brightness: int = 90, side: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), flat_picture(brightness, side))


def _pairs(folder: Path) -> list[tuple[str, str, bool, int]]:
    pack = Pack.open(folder)
    rows = {row["file"]: row for row in pack.rows()}
    return [(p.a, p.b, p.same, p.fold) for p in read_pairs(pack, rows)]


# Picture files


def test_a_table_of_boxes_lies_beside_its_pictures(tmp_path: Path) -> None:
    _write(tmp_path / "crowd" / "a.png", 10)
    _write(tmp_path / "b.png", 20)
    _write(tmp_path / "unnamed.png")
    (tmp_path / "labels.csv").write_text(
        "file,x,y,w,h\ncrowd/a.png,1,2,30,40\ncrowd/a.png,5,6,7,8\nb.png,,,,\n"
    )
    pack = Pack.open(tmp_path)
    assert pack.names == ("crowd/a.png", "b.png")
    assert [row_box(row) is None for row in pack.rows()] == [False, False, True]
    np.testing.assert_array_equal(pack.image("b.png"), flat_picture(20, 40))
    before = pack.digest()
    (tmp_path / "labels.csv").write_text("file,x,y,w,h\nb.png,1,1,1,1\ncrowd/a.png,,,,\n")
    assert Pack.open(tmp_path).digest() != before


@pytest.mark.parametrize(
    "name", ["", "gone.png", "../secret.png", "/etc/passwd", "in/../../secret.png", "in", "a\0b"]
)
def test_a_table_names_only_pictures_in_its_folder(tmp_path: Path, name: str) -> None:
    _write(tmp_path / "secret.png")
    _write(tmp_path / "pack" / "in" / "a.png")
    (tmp_path / "pack" / "labels.csv").write_text(f"file,label\nin/a.png,x\n{name},x\n")
    with pytest.raises(EdgeError, match=r"labels\.csv: (row 3: there is no picture|no CSV)"):
        Pack.open(tmp_path / "pack")


def test_pictures_alone_are_a_pack_without_labels(tmp_path: Path) -> None:
    _write(tmp_path / "b.jpg")
    _write(tmp_path / "a.JPG".lower())
    (tmp_path / "notes.txt").write_text("no picture")
    pack = Pack.open(tmp_path)
    assert pack.rows() == [{"file": "a.jpg"}, {"file": "b.jpg"}]
    assert not pack.has_classes


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    _write(tmp_path / "masked" / "good.png")
    (tmp_path / "masked" / "bad.jpg").write_bytes(b"\xff\xd8 not a picture")
    with pytest.raises(DataError, match=r"masked/bad\.jpg: not a picture"):
        Pack.open(tmp_path).image("masked/bad.jpg")


def test_a_stored_picture_that_claims_gigapixels_is_refused(tmp_path: Path) -> None:
    huge = cv2.imencode(".png", flat_picture(1))[1].ravel()
    huge[16:24] = np.frombuffer((60_000).to_bytes(4, "big") * 2, np.uint8)
    write_pack(tmp_path, {"x": flat_picture(1)}, [{"file": "x"}])
    np.savez(
        tmp_path / "images.npz", blob=huge, off=np.array([0, len(huge)]), names=np.array(["x"])
    )
    with pytest.raises(DataError, match="'x' cannot be decoded"):
        Pack.open(tmp_path).image("x")


# Boxes


@pytest.mark.parametrize(
    "box",
    ["1,2,3", "1,2,3,", "1,2,0,4", "1,2,3,-4", "nan,2,3,4", "1,2,inf,4", "a,2,3,4", "1,1,1e999,4"],
)  # fmt: skip
def test_half_a_box_is_no_empty_picture(box: str) -> None:
    row = dict(zip(("file", "x", "y", "w", "h"), ["p.png", *box.split(",")], strict=False))
    with pytest.raises(DataError, match=r"'p\.png' has the box"):
        row_box(row)


def test_a_box_may_be_missing_altogether() -> None:
    assert row_box({"file": "a"}) is None
    assert row_box({"file": "a", "x": "", "y": " ", "w": "", "h": ""}) is None


# Pairs


def _people(folder: Path, counts: dict[str, int]) -> Path:
    for person, count in counts.items():
        for number in range(count):
            _write(folder / person / f"{number}.png")
    return folder


def test_people_in_folders_are_paired(tmp_path: Path) -> None:
    pairs = _pairs(_people(tmp_path, {"ada": 3, "ben": 2, "cleo": 1}))
    same = {(a, b) for a, b, is_same, _ in pairs if is_same}
    assert same == {
        ("ada/0.png", "ada/1.png"), ("ada/0.png", "ada/2.png"), ("ada/1.png", "ada/2.png"),
        ("ben/0.png", "ben/1.png"),
    }  # fmt: skip
    others = [(a, b) for a, b, is_same, _ in pairs if not is_same]
    assert len(set(others)) == len(others) == 4
    assert all(a.split("/")[0] != b.split("/")[0] for a, b in others)
    assert {fold for *_, fold in pairs} <= set(range(FOLDS))
    assert pairs == _pairs(tmp_path)


def test_as_many_strangers_as_there_are() -> None:
    pictures = {f"{n}": flat_picture(1, 12) for n in range(9)}
    rows = [{"file": n, "person": "one" if n != "8" else "other"} for n in pictures]
    pack = Pack(Path("p"), {}, rows)
    pairs = read_pairs(pack, {row["file"]: row for row in rows})
    assert sum(not p.same for p in pairs) == 8
    assert sum(p.same for p in pairs) == 28 <= MOST_PAIRS


@pytest.mark.parametrize("counts", [{"ada": 3}, {"ada": 1, "ben": 1}])
def test_too_few_people_are_refused(tmp_path: Path, counts: dict[str, int]) -> None:
    with pytest.raises(MissingInput, match=r"no pairs\.csv, and no people with two pictures"):
        _pairs(_people(tmp_path, counts))


def test_labels_of_a_pack_are_no_people(tmp_path: Path) -> None:
    pictures = {n: flat_picture(1) for n in "abcd"}
    rows = [{"file": n, "label": "masked" if n < "c" else "unmasked"} for n in pictures]
    with pytest.raises(MissingInput, match=r"no pairs\.csv"):
        _pairs(write_pack(tmp_path, pictures, rows))


def test_pairs_beside_folders_are_dealt_into_folds(tmp_path: Path) -> None:
    _people(tmp_path, {"ada": 2, "ben": 1})
    lines = ["ada/0.png,ada/1.png,1", "ada/0.png,ben/0.png,0"] * 3
    (tmp_path / "pairs.csv").write_text("\n".join(["a,b,same", *lines]))
    pairs = _pairs(tmp_path)
    assert [(same, fold) for *_, same, fold in pairs] == [
        (True, 0), (False, 0), (True, 1), (False, 1), (True, 2), (False, 2)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ("a,b\nada/0.png,ada/1.png\n", "no column 'same'"),
        ("a,b,same\nada/0.png,nobody.png,1\n", "row 2: no picture 'nobody.png'"),
        ("a,b,same\nada/0.png,ada/1.png,yes\n", "row 2: same is 'yes'"),
        ("a,b,same,fold\nada/0.png,ada/1.png,1,first\n", "row 2: fold 'first'"),
        ("a,b,same,fold\nada/0.png,ada/1.png,1\n", "row 2 does not fit"),
        ("a,b,same\n", "no pairs"),
    ],
)
def test_damaged_pairs_are_named(tmp_path: Path, table: str, named: str) -> None:
    _people(tmp_path, {"ada": 2, "ben": 1})
    (tmp_path / "pairs.csv").write_text(table)
    with pytest.raises(DataError, match=named):
        _pairs(tmp_path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('abs,01\n"\r.png \x00é'), max_size=60))
def test_no_pairs_file_crashes(tmp_path: Path, text: str) -> None:
    if not (tmp_path / "ada").is_dir():
        _people(tmp_path, {"ada": 2, "ben": 1})
    (tmp_path / "pairs.csv").write_text(f"a,b,same,fold\n{text}", encoding="utf-8")
    try:
        _pairs(tmp_path)
    except EdgeError:
        pass


# Bare and masked


@pytest.fixture
def painted(tmp_path: Path) -> Path:
    for side, brightness in (("clean", 100), ("masked", 110), ("cover", 255)):
        for name in ("a.png", "b.png"):
            _write(tmp_path / side / name, brightness)
    return tmp_path


def test_covers_and_people_are_read_where_they_are(painted: Path) -> None:
    pairs = PairFolder(painted)
    assert (len(pairs), pairs.rows) == (2, [{"file": "a.png"}, {"file": "b.png"}])
    clean, masked, cover = next(iter(pairs))
    assert (clean[0, 0, 0], masked[0, 0, 0]) == (100, 110)
    assert cover is not None and cover.shape == (40, 40) and cover.all()
    (painted / "labels.csv").write_text("file,person,sex\nb.png,ben,male\na.png,ada,female\n")
    assert [row["person"] for row in PairFolder(painted).rows] == ["ada", "ben"]
    assert [row["person"] for row in PairFolder(painted, limit=1).rows] == ["ada"]


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no cover": (lambda f: (f / "cover" / "b.png").unlink(), "'b.png' has no partner"),
    "no partner": (lambda f: (f / "masked" / "a.png").unlink(), "'a.png' has no partner"),
    "no row": (lambda f: (f / "labels.csv").write_text("file\na.png\n"), "no row for picture 'b"),
    "no column": (lambda f: (f / "labels.csv").write_text("name\na.png\n"), "does not fit"),
    "no picture": (lambda f: (f / "clean" / "a.png").write_bytes(b"x"), "clean/a.png: not a"),
    "nothing": (lambda f: (f / "clean").rename(f / "bare"), "no folders clean and masked"),
}


@pytest.mark.parametrize(("damage", "named"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_folders_are_refused(
    painted: Path, damage: Callable[[Path], object], named: str
) -> None:
    damage(painted)
    with pytest.raises(EdgeError, match=named):
        list(PairFolder(painted))
