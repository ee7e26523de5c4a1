"""edge-gallery as a user runs it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.edge.one_face import many_faces_bundle, one_face_bundle
from tests.hostile.process import assert_refused, run_edge
from tests.makers import write_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return one_face_bundle(tmp_path_factory.mktemp("bundle"))


def picture(path: Path, side: int = 120) -> Path:
    cv2.imwrite(str(path), np.full((side, side, 3), 128, np.uint8))
    return path


def test_enrol_list_forget(tmp_path: Path, bundle: Path) -> None:
    one, two = picture(tmp_path / "1.png"), picture(tmp_path / "2.jpg")
    path = tmp_path / "data" / "unveil-edge" / "gallery.sqlite"

    def run(*arguments: object) -> dict:
        ended = run_edge("edge-gallery", *arguments, "--bundle", bundle, "--json", home=tmp_path)
        assert (ended.returncode, ended.stderr) == (0, "")
        said = json.loads(ended.stdout)
        assert (said["schema"], said["gallery"]) == ("unveil-edge.gallery/1", str(path))
        return said

    assert run("list")["people"] == []
    said = run("enrol", "Ada Lovelace", one, two)
    assert (said["name"], said["enrolled"], said["masked"]) == ("Ada Lovelace", 2, 2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (person,) = run("list")["people"]
    assert (person["name"], person["templates"]) == ("Ada Lovelace", 2)
    assert run("forget", "Ada Lovelace")["deleted"] == 2
    assert run("list")["people"] == []
    assert b"Lovelace" not in path.read_bytes()


def test_options_stand_before_or_after_the_verb(tmp_path: Path, bundle: Path) -> None:
    one, path = picture(tmp_path / "1.png"), tmp_path / "people.db"
    before = ("--gallery", path, "--bundle", bundle, "--json")
    assert run_edge("edge-gallery", *before, "enrol", "Ada", one, home=tmp_path).returncode == 0
    after = run_edge("edge-gallery", "list", *before, home=tmp_path)
    split = run_edge("edge-gallery", *before[:2], "list", *before[2:], home=tmp_path)
    assert json.loads(after.stdout) == json.loads(split.stdout)
    assert json.loads(after.stdout)["people"][0]["name"] == "Ada"


def test_a_person_reads_lines(tmp_path: Path, bundle: Path) -> None:
    one = picture(tmp_path / "1.png")
    where = ["--bundle", bundle, "--gallery", tmp_path / "g.sqlite"]
    said = run_edge("edge-gallery", "enrol", "Ada", one, *where, home=tmp_path)
    assert said.stdout == "Ada: 1 picture enrolled, 1 of them with a mask\n"
    said = run_edge("edge-gallery", "list", *where, home=tmp_path)
    assert said.stdout.startswith("Ada    1  since 20")


def test_the_second_picture_is_bad_and_nothing_is_stored(tmp_path: Path, bundle: Path) -> None:
    one, small = picture(tmp_path / "1.png"), picture(tmp_path / "small.png", 20)
    path = tmp_path / "g.sqlite"
    ended = run_edge(
        "edge-gallery", "enrol", "Ada", one, small, "--bundle", bundle, "--gallery", path,
        home=tmp_path,
    )  # fmt: skip
    assert_refused(ended, 65, str(small), "20 px", "40")
    assert not path.exists()


def test_no_face_and_several_faces_are_refused(tmp_path: Path) -> None:
    one = picture(tmp_path / "1.png", 400)
    blind = write_bundle(tmp_path / "blind")
    many = many_faces_bundle(tmp_path / "many")
    ended = run_edge("edge-gallery", "enrol", "Ada", one, "--bundle", blind, home=tmp_path)
    assert_refused(ended, 65, str(one), "no face found")
    ended = run_edge("edge-gallery", "enrol", "Ada", one, "--bundle", many, home=tmp_path)
    assert_refused(ended, 65, str(one), "32 faces found")


def test_a_gallery_that_cannot_be_made(tmp_path: Path, bundle: Path) -> None:
    one = picture(tmp_path / "1.png")
    ended = run_edge(
        "edge-gallery", "enrol", "Ada", one, "--bundle", bundle, "--gallery", "/proc/g.sqlite",
        home=tmp_path,
    )  # fmt: skip
    assert_refused(ended, 73, "/proc/g.sqlite")


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["forget", "Nobody", "--gallery", "{tmp}/none.sqlite"], 66, "none.sqlite"),
        (["list", "--gallery", "{tmp}/none.sqlite"], 66, "none.sqlite"),
        (["enrol", "Ada", "{tmp}/none.jpg"], 66, "none.jpg"),
        (["enrol", "Ada"], 64, "IMAGE"),
        (["greet"], 64, "greet"),
        ([], 64, "VERB"),
    ],
)
def test_what_cannot_be(
    arguments: list[str], code: int, named: str, tmp_path: Path, bundle: Path
) -> None:
    filled = [argument.format(tmp=tmp_path) for argument in arguments]
    known = ["--bundle", bundle] if len(filled) > 1 else []
    ended = run_edge("edge-gallery", *filled, *known, home=tmp_path)
    assert_refused(ended, code, named)


def test_nobody_of_that_name(tmp_path: Path, bundle: Path) -> None:
    one = picture(tmp_path / "1.png")
    run_edge("edge-gallery", "enrol", "Ada", one, "--bundle", bundle, home=tmp_path)
    ended = run_edge("edge-gallery", "forget", "Eve", "--bundle", bundle, home=tmp_path)
    assert_refused(ended, 66, "'Eve'", "edge-gallery list")
