"""Who runs a network: what was asked for, what a race chose, the bundle; and what if it cannot."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle
from edge.choice import Choice, Chosen
from edge.engines import made_for
from edge.errors import BundleError, EdgeError, TransientError, UnavailableError, UsageError
from edge.service.building import build_engines
from edge.service.config import Config
from edge.ways import Ways
from tests.edge.one_face import one_face_bundle
from tests.trt.play import play


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose embeddings are TFLite's; the other networks are the null engine's."""
    return Bundle.open(one_face_bundle(tmp_path_factory.mktemp("ways") / "bundle"))


@pytest.fixture
def onnx_bundle(tmp_path: Path) -> Path:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install -e .[test]")
    pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
    pytest.importorskip("export.onnx_writer", reason="export/ serves Python 3.11 and later")
    from tests.trt.nets import write_onnx_bundle

    return write_onnx_bundle(tmp_path / "onnx")


def _engine_of(ways: Ways, bundle: Bundle, task: str) -> str:
    engine, contract = ways.open(bundle, task)
    with closing(engine):
        assert contract.task == task
        return engine.name


def test_the_bundle_decides_by_itself(bundle: Bundle) -> None:
    assert _engine_of(Ways(), bundle, "identity") == "tflite"
    assert _engine_of(Ways(), bundle, "mask") == "null"
    assert _engine_of(Ways(engine="null"), bundle, "identity") == "null"


def test_a_race_decides_where_nobody_asked(onnx_bundle: Path) -> None:
    opened, chosen = Bundle.open(onnx_bundle), Chosen("onnxruntime", "fp16", 2)
    choice = Choice("", {"mask": chosen}, ())
    engine, contract = Ways(choice=choice).open(opened, "mask")
    with closing(engine):
        assert contract.inputs[0].dtype == "float32"  # not the INT8 file, which goes first
    engine, contract = Ways(choice=choice, engine="onnxruntime").open(opened, "mask")
    with closing(engine):
        assert contract.inputs[0].dtype == "int8"


@pytest.mark.parametrize(
    ("engine", "artefacts"),
    [(None, None), ("null", None), ("tflite", "tflite"), ("tensorrt", "onnxruntime")],
)
def test_whose_files_an_engine_runs(engine: str | None, artefacts: str | None) -> None:
    assert made_for(engine) == artefacts


def test_without_a_gpu_nothing_takes_its_place_unasked(
    onnx_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, heard = Bundle.open(onnx_bundle), list[EdgeError]()
    with play(monkeypatch, tmp_path, driver=False):
        with pytest.raises(UnavailableError, match="no NVIDIA driver"):
            Ways(engine="tensorrt", report=heard.append).open(opened, "mask")
        assert heard == []
        ways = Ways(engine="tensorrt", fallback="onnxruntime", report=heard.append)
        assert _engine_of(ways, opened, "mask") == "onnxruntime"
        assert _engine_of(ways, opened, "mask") == "onnxruntime"
    assert [error.code for error in heard] == ["cuda.driver"]  # one reason is told once


def test_a_fallback_that_the_bundle_has_no_file_for(
    onnx_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = Ways(engine="tensorrt", fallback="tflite")
    with play(monkeypatch, tmp_path, driver=False), pytest.raises(BundleError, match="no tflite"):
        ways.open(Bundle.open(onnx_bundle), "mask")


def test_a_bundle_that_does_not_hold_is_no_reason_to_fall_back(
    onnx_bundle: Path, tmp_path: Path
) -> None:
    opened = Bundle.open(onnx_bundle)
    (onnx_bundle / "mask.int8.onnx").write_bytes(b"altered")
    with pytest.raises(BundleError):
        Ways(engine="onnxruntime", fallback="tflite").open(opened, "mask")


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CACHE_DIRECTORY", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.usefixtures("at_home")
def test_missing_engines_are_built_at_the_first_start(
    onnx_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real command in a real process; TensorRT itself is the stand-in."""
    opened, waits, log = Bundle.open(onnx_bundle), list[int](), list[str]()
    config = Config(source="synthetic://", bundle=str(onnx_bundle))

    def build(precision: str) -> None:
        build_engines(config, precision, log=log.append, wait=lambda: not waits.append(1))

    with play(monkeypatch, tmp_path):
        with pytest.raises(UnavailableError) as missing:
            Ways(engine="tensorrt").open(opened, "mask")
        assert missing.value.code == "engine.stale" and "edge-export build" in missing.value.hint
        assert _engine_of(Ways(engine="tensorrt", build=build), opened, "mask") == "tensorrt"
        assert waits and any("built" in line or "for Orin" in line for line in log)
        count = len(log)
        assert _engine_of(Ways(engine="tensorrt", build=build), opened, "mask") == "tensorrt"
        assert len(log) == count  # the second start builds nothing


@pytest.mark.usefixtures("at_home")
def test_a_build_that_fails_falls_back_where_that_is_allowed(
    onnx_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, log, heard = Bundle.open(onnx_bundle), list[str](), list[EdgeError]()
    config = Config(source="synthetic://", bundle=str(onnx_bundle))

    def ways(**given: Any) -> Ways:
        def build(precision: str) -> None:
            build_engines(config, precision, log=log.append, wait=lambda: True)

        return Ways(engine="tensorrt", build=build, report=heard.append, **given)

    with play(monkeypatch, tmp_path, UNREAD="Relu,Clip,Conv", forgive=True):
        with pytest.raises(UnavailableError, match="could not be built"):
            ways().open(opened, "mask")
        assert any("Conv" in line or "Clip" in line or "Relu" in line for line in log)
        assert _engine_of(ways(fallback="onnxruntime"), opened, "mask") == "onnxruntime"
    assert [error.code for error in heard] == ["engine.build"]


@pytest.mark.usefixtures("at_home")
def test_an_accelerators_engines_are_built_at_the_first_start(
    onnx_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the configuration says it, through what opens a service's networks."""
    opened, log = Bundle.open(onnx_bundle), list[str]()
    config = Config(bundle=str(onnx_bundle), engine="tensorrt", precision="fp16", dla="1")
    with play(monkeypatch, tmp_path, DLA="2"):
        ways = Ways(
            engine=config.engine,
            precision=config.precision,
            dla=config.dla,
            build=lambda kind: build_engines(config, kind, log=log.append, wait=lambda: True),
        )
        assert _engine_of(ways, opened, "mask") == "tensorrt"
    assert any("DLA 1" in line for line in log)


@pytest.mark.usefixtures("at_home")
def test_nothing_is_imported_from_the_working_folder(
    onnx_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    (here / "export").mkdir(parents=True)
    (here / "export" / "__init__.py").write_text("raise SystemExit('taken from here')")
    monkeypatch.chdir(here)
    config, log = Config(bundle=str(onnx_bundle)), list[str]()
    with play(monkeypatch, tmp_path):
        build_engines(config, "int8", log=log.append, wait=lambda: True)
    assert any("mask int8: building" in line for line in log)


def test_an_accelerator_without_its_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="accelerator 0 is TensorRT's alone"):
        Ways(engine="onnxruntime", dla="0")


def test_a_precision_is_taken_instead_of_what_a_race_chose(onnx_bundle: Path) -> None:
    opened = Bundle.open(onnx_bundle)
    choice = Choice("", {"mask": Chosen("onnxruntime", "int8", 1)}, ())
    engine, contract = Ways(choice=choice, precision="fp16").open(opened, "mask")
    with closing(engine):
        assert contract.inputs[0].dtype == "float32"
    with pytest.raises(BundleError, match="no fp32 artefact"):
        Ways(precision="fp32").open(opened, "mask")


@pytest.mark.usefixtures("at_home")
def test_a_build_can_be_stopped(
    onnx_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(source="synthetic://", bundle=str(onnx_bundle))
    with play(monkeypatch, tmp_path, BUILD="hang", forgive=True), pytest.raises(TransientError):
        build_engines(config, "int8", log=lambda line: None, wait=lambda: False)


@pytest.mark.usefixtures("at_home")
def test_a_build_without_an_end_falls_back_where_that_is_allowed(
    onnx_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.service.building._LONGEST_S", 0.5)
    config, heard = Config(bundle=str(onnx_bundle)), list[EdgeError]()
    with play(monkeypatch, tmp_path, BUILD="hang", forgive=True):
        ways = Ways(
            engine="tensorrt",
            fallback="onnxruntime",
            report=heard.append,
            build=lambda kind: build_engines(
                config, kind, log=lambda line: None, wait=lambda: True
            ),
        )
        assert _engine_of(ways, Bundle.open(onnx_bundle), "mask") == "onnxruntime"
    assert "longer than an hour" in heard[0].what


def test_the_choice_of_another_bundle_is_told_and_passed_over(
    onnx_bundle: Path, tmp_path: Path
) -> None:
    """A race file beside the bundle is found by the service, and never believed blindly."""
    from contextlib import ExitStack

    from edge.service.parts import open_pipeline

    heard: list[EdgeError] = []
    copy = shutil.copytree(one_face_bundle(tmp_path / "one"), tmp_path / "doors")
    file = tmp_path / "doors.race.json"
    file.write_text(
        json.dumps({"schema": "unveil-edge.race/1", "bundle": {"digest": "0" * 64}, "choice": {}})
    )
    with ExitStack() as stack:
        config = Config(source="synthetic://", bundle=str(copy))
        open_pipeline(config, stack, report=heard.append)
    assert [error.code for error in heard] == ["choice.bundle"]
