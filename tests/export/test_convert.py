"""A bare file into artefacts: by the command and by the function, whole or not at all."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.errors import GateFailed, UsageError
from export import convert
from export.cards.card import TensorCard
from export.cli import main
from tests.export.tflite_maker import Maker, make, small

_PICTURE = TensorCard("image", (1, 16, 16, 3), "RGB", mean=(127.5,), std=(127.5,))
_FLAGS = ("--colour", "RGB", "--mean", "127.5", "--std", "127.5")

needs_quantiser = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_quantizer") is None,
    reason="needs ai-edge-quantizer: make test-export",
)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(make(small))
    return path


def _pictures(count: int) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(3)
    levels = rng.integers(20, 235, count)
    return [
        np.clip(level + rng.integers(-60, 60, (16, 16, 3)), 0, 255).astype(np.uint8)
        for level in levels
    ]


def _command(network: Path, out: Path, *flags: str) -> list[str]:
    work = str(network.parent / "work")
    return ["convert", str(network), "--out", str(out), "--work", work, *flags]


def test_both_formats_in_float_are_the_same_network(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(_command(network, out, "--format", "tflite", "onnx", "--float", "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    rows = report["networks"][0]["artefacts"]
    assert report["schema"] == "unveil-edge.convert/1"
    assert [(row["format"], row["precision"]) for row in rows] == [
        ("tflite", "fp32"),
        ("onnx", "fp32"),
    ]
    assert all(row["sqnr_db"] > 90 and row["size"] > 0 for row in rows)
    names = ["net.fp32.onnx", "net.fp32.tflite", "net.json"]
    assert sorted(path.name for path in out.iterdir()) == names


def test_a_second_run_skips_every_step_and_gives_the_same_bytes(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--format", "onnx", "--float")
    assert main(_command(network, tmp_path / "one", *flags)) == 0
    assert "net: onnx-fp32: unchanged, skipped" not in capsys.readouterr().err
    assert main(_command(network, tmp_path / "two", *flags)) == 0
    assert "net: onnx-fp32: unchanged, skipped" in capsys.readouterr().err
    one, two = (tmp_path / name / "net.fp32.onnx" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_dry_run_says_what_would_be_written(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(_command(network, out, "--half", "--dry-run")) == 0
    assert capsys.readouterr().out.endswith("net.fp16.tflite\n")
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--int8",), "give a folder of them with --data"),
        (("--int8", "--data", "."), "--colour, --mean, --std"),  # what bytes mean
        (("--format", "onnx", "--dynamic"), "there is no dynamic onnx"),
        (("--imgsz", "0x12"), "no size such as 240x320"),
        (("--std", "0"), "no number above 0"),
    ],
)
def test_what_only_the_user_can_know_is_asked_for(
    network: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    said: str,
) -> None:
    out = tmp_path / "out"
    assert main(_command(network, out, *flags)) == 64
    last = capsys.readouterr().err.splitlines()[-1]
    assert said in last
    assert not out.exists()


def test_two_files_of_one_name_are_refused(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = tmp_path / "other" / "net.tflite"
    twin.parent.mkdir()
    twin.write_bytes(network.read_bytes())
    command = ["convert", str(network), str(twin), "--out", str(tmp_path / "out")]
    assert main(command) == 64
    assert "two files are called net" in capsys.readouterr().err


def test_one_bad_file_leaves_the_others_alone(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, out = tmp_path / "bad.tflite", tmp_path / "out"
    bad.write_bytes(network.read_bytes()[:200])
    command = _command(network, out)
    assert main([*command[:1], str(bad), *command[1:]]) == 65
    captured = capsys.readouterr()
    assert "bad.tflite" in captured.err
    assert "net" in captured.out
    assert not (out / "bad.json").exists()
    assert (out / "net.fp32.tflite").is_file()


def test_several_at_a_time_tell_how_far_they_are(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = tmp_path / "twin.tflite"
    twin.write_bytes(network.read_bytes())
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"nothing")
    flags = ("--jobs", "2", "--format", "onnx", "--float")
    command = _command(network, tmp_path / "out", *flags)
    assert main([*command[:1], str(twin), str(bad), *command[1:]]) == 65
    captured = capsys.readouterr()
    for name in ("net", "twin"):
        assert f"edge-export: {name}: onnx-fp32: " in captured.err
        assert (tmp_path / "out" / f"{name}.fp32.onnx").is_file()
    assert captured.err.splitlines()[-1].startswith(f"edge-export: {bad}: ")
    assert [line.split()[0] for line in captured.out.splitlines()] == ["network", "twin", "net"]


@pytest.mark.parametrize("mixed", [False, True])
def test_the_steps_that_are_announced_are_those_that_are_taken(network: Path, mixed: bool) -> None:
    from export.importers.source import find_source
    from export.making.artefacts import Inputs, Request
    from export.making.conversion import convert_source, steps_of
    from export.progress import Progress

    if mixed:
        pytest.importorskip("ai_edge_quantizer", reason="needs the toolchain: make test-export")
    samples = [(picture[None],) for picture in _pictures(20)]
    precision = "int8" if mixed else "fp32"
    request = Request(
        wanted=(("tflite", "fp32"), ("onnx", precision)), min_db=1.0 if mixed else None
    )
    progress = Progress(lambda line: None)
    progress.expect(steps_of(request, None))
    given = Inputs(samples[:10], samples[10:], (_PICTURE,))
    convert_source(find_source(network), request, inputs=lambda exact: given, say=progress)
    assert progress.done == progress.expected


def test_a_file_of_another_kind_is_refused_with_those_that_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "net.pth"
    weights.write_bytes(b"x")
    assert main(["convert", str(weights), "--out", str(tmp_path / "out")]) == 64
    assert ".onnx" in capsys.readouterr().err


@needs_quantiser
def test_int8_of_both_formats_comes_from_one_calibration(network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(_pictures(60)):
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    out = tmp_path / "out"
    flags = ("--format", "tflite", "onnx", "--int8", "--data", str(folder), "--count", "40")
    assert main(_command(network, out, *flags, *_FLAGS)) == 0
    record = json.loads((out / "net.json").read_text())
    assert record["calibration"]["count"] == 40
    assert record["compared_on"] == "20 held-back inputs"
    assert record["agreement"], "both INT8 artefacts are compared layer by layer"
    tflite, onnx = record["artefacts"]
    assert tflite["label"] == "int8"
    assert tflite["sqnr_db"] > 20 and onnx["sqnr_db"] > 20


@needs_quantiser
def test_layers_stay_float_until_the_outputs_are_near_enough(network: Path) -> None:
    from export.importers.source import find_source
    from export.making.artefacts import Inputs, Request
    from export.making.conversion import convert_source

    samples = [(picture[None],) for picture in _pictures(40)]
    given = Inputs(samples[:30], samples[30:], (_PICTURE,))
    source = find_source(network)

    def db(least: float | None) -> tuple[float, int]:
        request = Request(wanted=(("tflite", "int8"),), min_db=least)
        done = convert_source(source, request, inputs=lambda exact: given)
        return done.rows[0].sqnr_db, len(done.artefacts[0].keep_float)

    plain, none = db(None)
    better, kept = db(plain + 3)
    assert none == 0 < kept
    assert better >= plain + 3


def test_int8_without_inputs_is_refused(network: Path) -> None:
    with pytest.raises(UsageError, match="real inputs"):
        convert(network, wanted=[("tflite", "int8")])


def _dead(m: Maker) -> None:
    x = m.input("x", (1, 16, 16, 3))
    m.output(m.conv("y", x, np.zeros((2, 1, 1, 3)), np.ones(2)))


@needs_quantiser
def test_a_network_that_says_nothing_is_float_with_a_word_and_never_int8(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network.write_bytes(make(_dead))
    flags = ("--format", "tflite", "onnx", "--float", "--half")
    assert main(_command(network, tmp_path / "out", *flags)) == 0
    assert "is the same for every input" in capsys.readouterr().err
    with pytest.raises(GateFailed, match="in the float network already"):
        convert(
            network,
            wanted=[("tflite", "int8")],
            samples=_pictures(24),
            count=16,
            pictures=[_PICTURE],
        )
