from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from benchmarks.cli import main
from tests.benchmarks.makers import flat_picture
from tests.makers import write_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for label, brightness in (("masked", 250), ("unmasked", 5)):
        folder = tmp_path / "classes" / label
        folder.mkdir(parents=True)
        for number in range(3):
            cv2.imwrite(str(folder / f"{number}.png"), flat_picture(brightness, side=48))
    return tmp_path / "classes"


def test_accuracy_prints_one_object(
    bundle: Path, classes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["accuracy", "mask", "--data", str(classes), "--bundle", str(bundle), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (report["schema"], report["task"], report["n"]) == ("unveil-edge.bench/2", "mask", 6)
    assert report["accuracy"] == 0.5  # the null network says one thing to all
    low, high = report["accuracy_ci95"]
    assert 0 < low < 0.5 < high < 1


def test_accuracy_takes_a_part(
    bundle: Path, classes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(classes), "--bundle", str(bundle), "--limit", "4"]
    assert main(["accuracy", "mask", *arguments]) == 0
    assert "mask on classes/all: 4 pictures" in capsys.readouterr().out


WRONG = {
    "no folder": (["accuracy", "mask", "--data", "nowhere"], 66, "nowhere"),
    "no task": (["accuracy", "beauty", "--data", "."], 64, "beauty"),
    "no such command": (["latncy"], 64, "latncy"),
    "no number": (["latency", "--source", "x.jpg", "--count", "0"], 64, "--count"),
    "no source": (["latency", "--source", "nowhere.jpg"], 66, "nowhere.jpg"),
}


@pytest.mark.parametrize(("arguments", "code", "named"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(
    arguments: list[str], code: int, named: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*arguments, "--bundle", str(bundle)]
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("edge-bench: ")
    assert captured.err.count("\n") == 1
    assert named in captured.err


def test_another_labelling_is_named(
    bundle: Path, classes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["accuracy", "emotion", "--data", str(classes), "--bundle", str(bundle)]) == 65
    assert "anger" in capsys.readouterr().err


def test_without_a_command_it_is_latency(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--bundle", str(bundle), "--seconds", "0.01", "--count", "2", "--json"]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["kind"], report["scenario"]) == ("latency", "single-stream")


def test_help_is_not_latency(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "roofline" in capsys.readouterr().out
