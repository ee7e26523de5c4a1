"""Faces with what lies round them: which are taken, how often, and whom the test leaves out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.drawn_face import draw_face
from models.training.covered import CoveredFaces, Crops, drawn_crop
from models.training.masks import five_points
from models.training.pairs import main
from models.training.surroundings import framed_faces, scene_faces
from tests.benchmarks.makers import write_pack
from tests.models.packs import POINTS, write_packs

_Row = dict[str, object]


def _skin(brightness: int) -> NDArray[np.uint8]:
    return np.full((160, 160, 3), brightness, np.uint8)


def _landmarks(folder: Path, rows: list[_Row]) -> None:
    """Write the pack; picture i is as bright as 100 + i, and its points lie i to the right."""
    pictures = {str(row["file"]): _skin(100 + i) for i, row in enumerate(rows)}
    write_pack(folder / "landmarks68", pictures, rows)
    points = np.zeros((len(rows), 68, 3), np.float32)
    points[:, :, 0] = np.arange(68) + np.arange(len(rows))[:, None]
    names = np.array(list(pictures))
    np.savez(folder / "landmarks68" / "points68.npz", points=points, names=names)


def _scenes(folder: Path, rows: list[_Row]) -> None:
    """Write the pack; each row is a picture as bright as 10 times its number, with one face."""
    pictures = {str(row["file"]): _skin(10 * i) for i, row in enumerate(rows)}
    pack = write_pack(folder / "detect_train", pictures, rows)
    points = np.stack([POINTS + i for i in range(len(rows))])
    np.savez(pack / "points5.npz", points=points, row=np.arange(len(rows)))


def _scene(**changed: object) -> _Row:
    row: _Row = {"label": "face", "ignore": "0", "source": "helen", "split": "train"}
    return {**row, "w": "60", "h": "70", **changed}


def test_the_five_points_are_means_of_the_68() -> None:
    points = np.arange(68 * 2, dtype=np.float32).reshape(68, 2)
    five = five_points(points)
    np.testing.assert_array_equal(five[0], points[36:42].mean(0))
    np.testing.assert_array_equal(five[1], points[42:48].mean(0))
    np.testing.assert_array_equal(five[2:], points[[30, 48, 54]])
    assert five.dtype == np.float32


def test_framed_faces_are_those_of_the_split_that_have_68_points(tmp_path: Path) -> None:
    kinds = [("train", 1), ("train", 0), ("val", 1), ("train", 1)]
    _landmarks(tmp_path, [{"file": f"{i}.webp", "subject": "A", "split": split, "has_68": has}
                          for i, (split, has) in enumerate(kinds)])  # fmt: skip
    found = list(framed_faces(tmp_path, "train"))
    assert [image[0, 0, 0] for image, _ in found] == [100, 103]
    assert [points[2, 0] for _, points in found] == [30, 33]  # the nose tip's x
    assert all(points.shape == (5, 2) for _, points in found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"w": "35.9"},
        {"h": "20"},
        {"label": "masked"},
        {"label": "incorrect"},
        {"ignore": "1"},
        {"source": "ytf"},
        {"split": "val"},
    ],
)
def test_a_face_of_a_scene_is_passed_over(tmp_path: Path, wrong: _Row) -> None:
    rows = [_scene(), _scene(**wrong), _scene(label="unmasked", w="36", h="36")]
    _scenes(tmp_path, [{"file": f"{i}.webp", **row} for i, row in enumerate(rows)])
    found = list(scene_faces(tmp_path, "train"))
    assert [image[0, 0, 0] for image, _ in found] == [0, 20]
    np.testing.assert_array_equal(found[1][1], POINTS + 2)


def _packs(folder: Path) -> None:
    write_packs(folder)
    pictures = {f"{i}": _skin(100 + i) for i in range(20)}
    rows: list[_Row] = [{"file": name, "split": "train"} for name in pictures]
    write_pack(folder / "faces", pictures, rows, points5=np.stack([POINTS] * 20))
    _landmarks(folder, [{"file": f"{i}", "subject": "A", "split": "train", "has_68": 1}
                        for i in range(3)])  # fmt: skip
    _scenes(folder, [{"file": f"{i}", **_scene()} for i in range(2)])


def test_every_pack_has_its_share_of_an_epoch(tmp_path: Path) -> None:
    _packs(tmp_path)
    faces = CoveredFaces(tmp_path, "train", "train", limit=None, surrounded=True)
    assert faces.packs == [range(20), range(20, 23), range(23, 25)]
    assert len(faces.images) == len(faces.points) == 25
    crops = Crops(faces, drawn_crop, per_epoch=None, shares=(0.5, 0.3, 0.2))
    order = crops.epoch(np.random.default_rng(1))
    assert [sum(i in pack for i in order) for pack in faces.packs] == [10, 6, 4]
    tight = [i for i in order if i < 20]
    assert len(set(tight)) == 10
    assert list(order) != sorted(order)
    np.testing.assert_array_equal(order, crops.epoch(np.random.default_rng(1)))
    assert (order != crops.epoch(np.random.default_rng(2))).any()


def test_without_shares_an_epoch_is_the_first_pack(tmp_path: Path) -> None:
    _packs(tmp_path)
    faces = CoveredFaces(tmp_path, "train", "train", limit=None)
    order = Crops(faces, drawn_crop, per_epoch=None).epoch(np.random.default_rng(1))
    assert sorted(order) == list(range(20))
    assert len(Crops(faces, drawn_crop, per_epoch=7).epoch(np.random.default_rng(1))) == 7


def test_a_limit_holds_for_each_pack(tmp_path: Path) -> None:
    _packs(tmp_path)
    faces = CoveredFaces(tmp_path, "train", "train", limit=2, surrounded=True)
    assert faces.packs == [range(2), range(2, 4), range(4, 6)]


def test_pairs_of_people_whom_no_painter_saw(tmp_path: Path) -> None:
    """One picture a person, and nobody of whose films frames were trained on."""
    templates = write_packs(tmp_path) / "templates.json"
    listed = json.loads(templates.read_text())
    listed["templates"][0]["split"] = "test"
    templates.write_text(json.dumps(listed))
    _landmarks(tmp_path, [{"file": f"{s}", "subject": name, "split": s, "has_68": 1}
                          for s, name in (("train", "Seen"), ("val", "Too"))])  # fmt: skip
    frame, _ = draw_face()
    bust = cv2.copyMakeBorder(frame.image, 40, 40, 40, 40, cv2.BORDER_REPLICATE)
    people = ["Seen", "New", "Too", "Other", "New"]
    rows: list[_Row] = [
        {"file": f"lfw/{i}", "person": person, "split": "test"} for i, person in enumerate(people)
    ]
    write_pack(tmp_path / "lfw", {str(row["file"]): bust for row in rows}, rows)
    out = tmp_path / "out"
    assert main(["--data", str(tmp_path), "--pack", "lfw", "--out", str(out)]) == 0
    with (out / "labels.csv").open(newline="") as file:
        assert [row["person"] for row in csv.DictReader(file)] == ["New", "Other"]
    assert sorted(p.name for p in (out / "clean").iterdir()) == ["00000.png", "00001.png"]
    bare, masked, cover = (
        cv2.imread(str(out / kind / "00000.png")) for kind in ("clean", "masked", "cover")
    )
    np.testing.assert_array_equal(bare, bust)
    changed = (bare != masked).any(2)
    assert 0.02 < (cover[..., 0] == 255).mean() < 0.6
    assert changed[cover[..., 0] == 255].mean() > 0.9
