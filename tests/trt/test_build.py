"""Engines are built in a process of their own, on every generation of TensorRT, by its rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install -e .[test]")

from edge.engines.tensorrt import TensorRTEngine
from edge.errors import DataError, EdgeError, TransientError, UnavailableError
from export.toolchains.tensorrt import Built, Options, build
from export.toolchains.tensorrt.builder import build_here
from export.toolchains.tensorrt.generation import generation_of
from tests.trt.nets import contract_of, network
from tests.trt.play import FLAGGED, RELEASES, STRONG, Play


def _build(precision: str, **settings: Any) -> Built:
    options = Options(precision, settings.pop("workspace_mib", 64), settings.pop("dla", None))
    content = settings.pop("onnx", network(precision))
    return build(content, options, where="mask", **settings)


def _run(plan: bytes, precision: str) -> Any:
    with TensorRTEngine(plan, contract_of(precision), where="mask") as engine:
        engine.inputs[0][:] = np.arange(768).reshape(1, 16, 16, 3) % 100
        engine.run()
        return engine.outputs[0].copy()


def _build_here(
    precision: str, *, onnx: bytes | None = None, timing: bytes = b"", dla: int | None = None
) -> Built:
    """Build in this process: quicker, and as good where the process is not what is tested."""
    from edge.engines.plans import import_tensorrt

    content = network(precision) if onnx is None else onnx
    options = Options(precision, 64, dla)
    return build_here(
        import_tensorrt(), content, options, timing=timing, where="mask", say=lambda line: None
    )


@pytest.mark.parametrize("precision", ["int8", "fp16", "fp32"])
@pytest.mark.parametrize("release", RELEASES)
def test_every_generation_builds_what_the_graph_says(
    board: Play, release: str, precision: str
) -> None:
    with board(tensorrt=release):
        built = _build_here(precision)
        outputs = _run(built.plan, precision)
    assert np.abs(outputs - _wanted(precision)).max() < 1e-6
    assert built.timing and built.warnings == ()


def _wanted(precision: str) -> Any:
    """Return what ONNX Runtime computes of the same file."""
    from edge.engines.onnxruntime import OnnxRuntimeEngine

    content, contract = network(precision), contract_of(precision)
    with OnnxRuntimeEngine(content, contract, threads=1, where="mask") as engine:
        engine.inputs[0][:] = np.arange(768).reshape(1, 16, 16, 3) % 100
        engine.run()
        return engine.outputs[0].copy()


def test_a_process_of_its_own_builds_the_same(board: Play) -> None:
    with board():
        here, built = _build_here("int8"), _build("int8")
        assert (built.plan, built.timing, built.layers) == (here.plan, here.timing, here.layers)
    assert built.seconds > 0 and built.workspace_mib == 64


@pytest.mark.parametrize("release", ["8.5", "8.6", "10.3", "11.4"])
def test_kernels_are_told_by_the_names_of_the_report(board: Play, release: str) -> None:
    with board(tensorrt=release):
        layers = _build_here("int8").layers
    names = {name for layer in layers for name in layer.operators}
    assert {"stem", "stem/linear", "inner", "total", "pooled"} <= names
    fused = next(layer for layer in layers if "stem" in layer.operators)
    assert fused.operators == ("stem/linear", "stem")
    assert fused.precision == "int8"
    assert fused.kind == "CaskConvolution"


@pytest.mark.parametrize("version", ["8.5.3", "8.6.1.6", "10.3.0", "10.11.0.33"])
def test_flags_up_to_10_11(version: str) -> None:
    generation = generation_of(version)
    assert generation.explicit_batch and generation.precision_flags
    assert not generation.strongly_typed


@pytest.mark.parametrize(
    ("version", "flag"), [("10.12.0.36", True), ("10.16.1.11", True), ("11.4.0.106", False)]
)
def test_types_from_10_12_on(version: str, flag: bool) -> None:
    generation = generation_of(version)
    assert not generation.precision_flags
    assert generation.strongly_typed is flag
    assert generation.explicit_batch is flag


def test_the_releases_that_are_played_are_of_both_kinds() -> None:
    assert all(generation_of(f"{release}.0").precision_flags for release in FLAGGED)
    assert not any(generation_of(f"{release}.0").precision_flags for release in STRONG)


def test_a_second_build_is_given_what_the_first_one_measured(board: Play) -> None:
    with board():
        first = _build_here("int8")
        again = _build_here("int8", timing=first.timing)
    assert again.timing == first.timing


@pytest.mark.parametrize("timing", [b"no cache at all", b"timing of another GPU"])
def test_a_foreign_timing_cache_is_begun_anew(board: Play, timing: bytes) -> None:
    with board():
        assert _build_here("int8", timing=timing).timing == _build_here("int8").timing


def test_the_share_that_the_accelerator_does_not_take_is_told(board: Play) -> None:
    with board(DLA="2"):
        dla = _build_here("fp16", dla=1).dla
        assert _build_here("fp16").dla is None
    assert dla is not None
    assert 0 < dla.share < 1
    assert "pooled" in dla.fallen and "inner" not in dla.fallen


def test_progress_is_told_and_a_busy_line_is_passed_on(board: Play) -> None:
    with board(BUILD="slow"):
        said: list[str] = []
        _build("int8", say=said.append)
    assert said == ["Building Engine: 2 of 4"]


def _fails(error: type[EdgeError], code: str, *, here: bool = False, **settings: Any) -> str:
    with pytest.raises(error) as caught:
        (_build_here if here else _build)("int8", **settings)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return str(caught.value)


def test_an_operator_that_this_release_lacks(board: Play) -> None:
    with board(tensorrt="10.3", UNREAD="Conv"):
        said = _fails(UnavailableError, "build.operator", here=True)
    assert "10.3.0 does not read operator Conv (stem/linear): No importer registered" in said


def test_an_operator_that_a_release_lacks_which_names_none(board: Play) -> None:
    with board(tensorrt="8.6", UNREAD="ReduceMean"):
        said = _fails(UnavailableError, "build.operator", here=True)
    assert "8.6.1 does not read operator ReduceMean: No importer registered" in said


def test_the_other_process_hands_its_error_on(board: Play) -> None:
    with board(UNREAD="Conv"):
        assert _fails(UnavailableError, "build.operator") == _fails(
            UnavailableError, "build.operator", here=True
        )


@pytest.mark.parametrize("onnx", [b"", b"no ONNX file"])
def test_what_is_no_onnx_file(board: Play, onnx: bytes) -> None:
    with board():
        _fails(DataError, "build.damaged", onnx=onnx, here=True)


def test_too_little_workspace_names_the_option(board: Play) -> None:
    with board(WORKSPACE_MIB="512"):
        said = _fails(UnavailableError, "build.failed", here=True)
    assert "Could not find any implementation" in said and "--memory-mib" in said


def test_an_accelerator_that_is_not_there(board: Play) -> None:
    with board(DLA="1"):
        assert "TensorRT sees 1" in _fails(UnavailableError, "build.dla", dla=1, here=True)


def test_no_driver_no_gpu_no_library_no_tensorrt(board: Play) -> None:
    with board(driver=False):
        _fails(UnavailableError, "cuda.driver")
    with board(gpu=""):
        _fails(UnavailableError, "cuda.device")
    with board(cuda=""):
        _fails(UnavailableError, "cuda.library")
    with board(tensorrt=""):
        _fails(UnavailableError, "tensorrt.library")


def test_a_release_of_an_unknown_generation(board: Play) -> None:
    with board(tensorrt="11.4", TENSORRT_VERSION="12.0.0"):
        _fails(UnavailableError, "tensorrt.version")


def test_a_builder_that_crashes_ends_alone(board: Play) -> None:
    with board(BUILD="crash"):
        assert "crashed (SIGSEGV)" in _fails(UnavailableError, "build.crashed")


def test_a_builder_that_the_system_kills_ran_out_of_memory(board: Play) -> None:
    with board(BUILD="killed"):
        _fails(TransientError, "build.killed")


def test_a_builder_that_hangs_is_ended(board: Play) -> None:
    with board(BUILD="hang"):
        assert "after 2 s" in _fails(TransientError, "build.patience", patience_s=2)


def test_a_builder_that_leaves_nothing_is_a_crash(board: Play) -> None:
    with board(BUILD="exit"):
        assert "ended with 0" in _fails(UnavailableError, "build.crashed")


def test_the_folder_that_it_starts_in_cannot_bring_modules(
    board: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with board():
        assert _build("fp16").plan
