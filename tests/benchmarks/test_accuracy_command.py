"""``edge-bench accuracy``: every task's object, through a whole bundle, and what goes wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.cli import main
from edge.contract import TASKS
from tests.benchmarks.makers import flat_picture, write_pack
from tests.edge.one_face import one_face_bundle
from tests.makers import write_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("null") / "bundle", TASKS)


def _write(path: Path, brightness: int, side: int = 48) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), flat_picture(brightness, side))


def _classes(folder: Path, *labels: str) -> None:
    for i, label in enumerate(labels):
        for number in range(2):
            _write(folder / label / f"{number}.png", (40 * i + number) % 256)


def _boxes(folder: Path) -> None:
    _write(folder / "crowd.png", 9, 100)
    _write(folder / "empty.png", 200, 100)
    (folder / "labels.csv").write_text(
        "file,x,y,w,h,label,ignore\ncrowd.png,10,10,40,50,masked,0\ncrowd.png,60,60,20,20,,1\n"
        "empty.png,,,,,,\n"
    )


def _painted(folder: Path) -> None:
    for number in range(3):
        for side, brightness in (("clean", 90), ("masked", 100)):
            _write(folder / side / f"{number}.png", brightness)
    rows = [f"{n}.png,{sex}" for n, sex in enumerate(("female", "male", "male"))]
    (folder / "labels.csv").write_text("\n".join(["file,sex", *rows]))


def _landmarks(folder: Path) -> None:
    pictures = {name: flat_picture(i) for i, name in enumerate("ab")}
    write_pack(folder, pictures, [{"file": n, "source": "s", "split": "test"} for n in pictures])
    points = np.random.default_rng(0).uniform(10, 90, (2, 68, 3))
    np.savez(folder / "points68.npz", points=points, names=np.array(list("ab")))


#: What makes the data of a task, how much there is, and the figures that its object must have.
DATA: dict[str, tuple[Callable[[Path], None], int, tuple[str, ...]]] = {
    "mask": (lambda f: _classes(f, "masked", "unmasked", "incorrect"), 6, ("accuracy", "macro_f1")),
    "emotion": (lambda f: _classes(f, "anger", "neutral"), 4, ("accuracy", "macro_f1")),
    "gender": (lambda f: _classes(f, "female", "male"), 4, ("accuracy", "recall_male")),
    "identity": (lambda f: _classes(f, "ada", "ben"), 4, ("accuracy", "threshold", "eer")),
    "detect": (_boxes, 2, ("recall", "precision", "average_precision")),
    "reconstruct": (_painted, 3, ("psnr", "ssim", "psnr_sex_male")),
    "landmarks": (_landmarks, 2, ("nme", "failures")),
}


def _run(
    capsys: pytest.CaptureFixture[str], bundle: Path, task: str, data: Path, *more: str
) -> dict[str, Any]:
    arguments = ["--data", str(data), "--bundle", str(bundle), "--json", *more]
    assert main(["accuracy", task, *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    report: dict[str, Any] = json.loads(captured.out)
    return report


def _numbers(value: Any) -> list[float | None]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in _numbers(item)]
    return list(value) if isinstance(value, list) else [value]


@pytest.mark.parametrize("task", DATA)
def test_every_task_has_its_figures_and_their_intervals(
    task: str, tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, n, wanted = DATA[task]
    make(tmp_path / "data")
    report = _run(capsys, bundle, task, tmp_path / "data")
    assert (report["schema"], report["kind"]) == ("unveil-edge.bench/2", "accuracy")
    assert (report["task"], report["n"]) == (task, n)
    assert report["data"].split("/")[0] == "data"
    assert report["settings"]["engine"] == "null"
    assert {"architecture", "bundle", "versions"} <= set(report["fingerprint"])
    assert set(wanted) <= set(report)
    figures = [key.removesuffix("_ci95") for key in report if key.endswith("_ci95")]
    assert set(wanted) <= set(figures)
    for name in figures:
        values, ends = _numbers(report[name]), _numbers(report[f"{name}_ci95"])
        assert len(ends) == 2 * len(values)
        for value, low, high in zip(values, ends[::2], ends[1::2], strict=True):
            if value is not None and low is not None and high is not None:
                assert low <= value + 1e-9 and value <= high + 1e-9
    assert all(
        math.isfinite(v) for name in figures for v in _numbers(report[name]) if v is not None
    )
    if task == "detect":
        assert "as_face" in report
    elif task != "landmarks":  # 48 pixels: nothing is looked for
        assert report["as_face"] == report.get("pictures", n)


@pytest.mark.parametrize("task", DATA)
def test_every_task_is_a_table_for_people(
    task: str, tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, n, wanted = DATA[task]
    make(tmp_path)
    assert main(["accuracy", task, "--data", str(tmp_path), "--bundle", str(bundle)]) == 0
    text = capsys.readouterr().out
    assert f": {n} " in text.splitlines()[0]
    assert all(name.replace("_", " ") in text for name in wanted)


def test_false_accepts_that_few_pairs_cannot_tell_are_null(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _classes(tmp_path, *(f"person{i}" for i in range(30)))
    report = _run(capsys, bundle, "identity", tmp_path, "--far", "0.1")
    assert report["different_pairs"] == 30
    assert list(report["tar_at_far"]) == ["0.01", "0.001", "0.1"]
    assert report["tar_at_far"]["0.01"] is report["tar_at_far"]["0.001"] is None
    assert report["tar_at_far_ci95"]["0.001"] == [None, None]
    assert report["tar_at_far"]["0.1"] == 0.0  # the null network says the same of all pairs
    assert (report["far"], report["threshold"]) == (0.1, pytest.approx(0, abs=1e-9))
    assert _run(capsys, bundle, "identity", tmp_path)["far"] == 0.1  # the least that 30 can tell
    report = _run(capsys, bundle, "identity", tmp_path, "--far", "0.01")
    assert (report["far"], report["threshold"]) == (0.01, None)


def test_identity_of_a_real_network_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny network tells the colour of a picture apart; no face is found in any."""
    bundle = one_face_bundle(tmp_path / "bundle")
    rng = np.random.default_rng(0)
    for person in range(4):
        base = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        for number in range(3):
            path = tmp_path / "people" / f"p{person}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), base)
    report = _run(capsys, bundle, "identity", tmp_path / "people", "--far", "0.2")
    assert (report["accuracy"], report["eer"]) == (1.0, 0.0)
    assert report["tar_at_far"]["0.2"] == 1.0


def test_the_object_is_written_where_it_is_wanted(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _classes(tmp_path / "data", "masked", "unmasked")
    out = tmp_path / "result.json"
    report = _run(capsys, bundle, "mask", tmp_path / "data", "--out", str(out))
    assert json.loads(out.read_text()) == report


def _no_boxes(folder: Path) -> None:
    _classes(folder, "masked")


def _with(make: Callable[[Path], None], damage: Callable[[Path], object]) -> Callable[[Path], None]:
    def both(folder: Path) -> None:
        make(folder)
        damage(folder)

    return both


def _unreadable(folder: Path) -> None:
    (folder / "masked" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")


def _bad_ignore(folder: Path) -> None:
    path = folder / "labels.csv"
    path.write_text(path.read_text().replace(",masked,0", ",masked,maybe"))


#: Task, what makes its data, further arguments, exit code, what the one line names.
WRONG: dict[str, tuple[str, Callable[[Path], None], tuple[str, ...], int, str]] = {
    "mask of another label": ("mask", lambda f: _classes(f, "with_mask"), (), 65,
                              "label 'with_mask'; the labels, or the class folders, are masked"),
    "emotion of another label": ("emotion", lambda f: _classes(f, "joy"), (), 65, "label 'joy'"),
    "gender of another label": ("gender", lambda f: _classes(f, "women"), (), 65, "female, male"),
    "an unreadable picture": ("mask", _with(lambda f: _classes(f, "masked"), _unreadable), (), 65,
                              "masked/1.png"),
    "detect without boxes": ("detect", _no_boxes, (), 65, "file,x,y,w,h"),
    "ignore that is neither": ("detect", _with(_boxes, _bad_ignore), (), 65, "ignore is 'maybe'"),
    "landmarks without points": ("landmarks", _no_boxes, (), 66, "points68.npz"),
    "pictures without labels": ("mask", lambda f: _write(f / "a.png", 1), (), 65, "label ''"),
    "identity of one person": ("identity", lambda f: _classes(f, "ada"), (), 66, "pairs.csv"),
    "nothing to reconstruct": ("reconstruct", _no_boxes, (), 66, "folders clean and masked"),
    "no split": ("mask", lambda f: _classes(f, "masked"), ("--split", "val"), 65, "split 'val'"),
    "a share that is none": ("identity", _no_boxes, ("--far", "2"), 64, "--far"),
    "a share for nothing": ("mask", _no_boxes, ("--far", "0.1"), 64, "--far"),
    "no folder for the result": ("mask", _no_boxes, ("--out", "no/where.json"), 73, "no: there"),
    "an unknown engine": ("mask", _no_boxes, ("--engine", "abacus"), 76, "abacus"),
}  # fmt: skip


@pytest.mark.parametrize(("task", "make", "more", "code", "named"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(
    task: str,
    make: Callable[[Path], None],
    more: tuple[str, ...],
    code: int,
    named: str,
    tmp_path: Path,
    bundle: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(tmp_path / "data")
    arguments = ["--data", str(tmp_path / "data"), "--bundle", str(bundle), *more]
    assert main(["accuracy", task, *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("edge-bench: ") and captured.err.count("\n") == 1
    assert named in captured.err


def test_a_bundle_without_the_network_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "bundle", ("detect", "mask", "identity"))
    _classes(tmp_path / "data", "female", "male")
    arguments = ["--data", str(tmp_path / "data"), "--bundle", str(bundle)]
    assert main(["accuracy", "gender", *arguments]) == 76
    assert "no artefact for the task 'gender'" in capsys.readouterr().err


def test_what_a_table_shows_cannot_steer_the_terminal(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = {n: flat_picture(1, 48) for n in "ab"}
    rows = [{"file": n, "label": "masked", "source": "\x1b[2J"} for n in pictures]
    write_pack(tmp_path, pictures, rows)
    assert main(["accuracy", "mask", "--data", str(tmp_path), "--bundle", str(bundle)]) == 0
    assert "\x1b" not in capsys.readouterr().out
