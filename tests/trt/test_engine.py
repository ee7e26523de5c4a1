"""The engine as a service has it: its threads, its context, its faults, its accelerator."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install -e .[test]")

from edge.bundle import Bundle
from edge.engines import open_engine
from edge.engines.cache import EngineCache
from edge.engines.gpu import open_gpu
from edge.engines.plans import import_tensorrt, target_of
from edge.engines.tensorrt import TensorRTEngine
from edge.errors import EdgeError, UnavailableError
from edge.ways import Ways
from export.cli import main
from export.toolchains.tensorrt import Options
from export.toolchains.tensorrt.builder import build_here
from tests.trt.nets import contract_of, network, write_onnx_bundle
from tests.trt.play import Play

LIBRARIES = ("pycuda", "cuda-python")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_onnx_bundle(tmp_path / "bundle")


def _plan(dla: int | None = None) -> bytes:
    options = Options("int8", 64, dla, 4)
    return build_here(
        import_tensorrt(), network("int8"), options, timing=b"", where="mask", say=lambda line: None
    ).plan


def _open(plan: bytes, **given: Any) -> TensorRTEngine:
    return TensorRTEngine(plan, contract_of("int8"), where="mask", **given)


def _code_of(work: Callable[[], Any]) -> str:
    """Return the code of what work raises; its traceback, and all that is in it, is gone then."""
    try:
        work()
    except UnavailableError as error:
        return error.code
    return ""


def _in_a_thread(work: Callable[[], Any]) -> Any:
    """Return what work gives in a thread of its own; it raises here what it raised there."""
    given: list[Any] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            given.append(work())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised.pop()
    return given.pop()


@pytest.mark.parametrize("cuda", LIBRARIES)
def test_opened_run_and_closed_in_threads_of_their_own(board: Play, cuda: str) -> None:
    with board(cuda=cuda):
        from standin.gpu import GPU

        plan = _plan()
        engine = _in_a_thread(lambda: _open(plan))
        assert engine.library == cuda
        engine.inputs[0][:] = 5
        for _ in range(3):
            _in_a_thread(engine.run)
        assert np.isfinite(engine.outputs[0]).all()
        _in_a_thread(engine.close)
        engine.close()
        assert (GPU.left(), GPU.retained, GPU.stack) == ("", 0, [])


@pytest.mark.parametrize("cuda", LIBRARIES)
def test_the_primary_context_is_shared_with_who_else_holds_it(board: Play, cuda: str) -> None:
    """OpenCV, PyTorch or a camera's library in the same process: theirs is as it was."""
    with board(cuda=cuda):
        from standin.gpu import GPU

        plan = _plan()
        GPU.init()
        GPU.retain()
        GPU.push()
        theirs = GPU.allocate(1000)
        with _open(plan) as first, _open(plan) as second:
            assert GPU.retained == 3
            first.run()
            second.run(2)
            assert GPU.stack == ["primary"]
        assert (GPU.left(), GPU.retained, GPU.stack) == ("1 allocations", 1, ["primary"])
        GPU.free(theirs)
        GPU.pop()
        GPU.release()


@pytest.mark.parametrize("cuda", LIBRARIES)
def test_too_little_memory_on_the_gpu_leaves_nothing(
    board: Play, cuda: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with board(cuda=cuda):
        from standin.gpu import GPU

        plan = _plan()
        monkeypatch.setenv("STANDIN_MEMORY_MIB", "0")
        with pytest.raises(UnavailableError, match="OUT_OF_MEMORY"):
            _open(plan)
        assert _code_of(lambda: _open(plan)) == "cuda.failed"
        assert (GPU.left(), GPU.retained, GPU.stack) == ("", 0, [])


@pytest.mark.parametrize("cuda", LIBRARIES)
def test_a_gpu_that_fails_in_mid_run(
    board: Play, cuda: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with board(cuda=cuda):
        from standin.gpu import GPU, CudaFault

        def fail(handle: int) -> None:
            raise CudaFault("CUDA_ERROR_ILLEGAL_STATE")

        with _open(_plan()) as engine:
            with monkeypatch.context() as patch:
                patch.setattr(GPU, "synchronize", fail)
                assert _code_of(engine.run) == "cuda.failed"
            assert GPU.stack == []
            engine.run()


def test_a_device_is_looked_for_before_anything_is_woken(board: Play) -> None:
    with board():
        plan = _plan()
    with board(gpu=""), pytest.raises(UnavailableError) as refused:
        _open(plan)
    assert refused.value.code == "cuda.device"


def test_a_runtime_that_does_not_start_is_one_line(board: Play) -> None:
    with board():
        plan = _plan()
    with board(RUNTIME="none"):
        from standin.gpu import GPU

        with pytest.raises(UnavailableError, match="CUDA initialization failure") as refused:
            _open(plan)
        assert (GPU.left(), GPU.retained) == ("", 0)
    assert refused.value.code == "tensorrt.start" and "edge-doctor gpu" in refused.value.hint


@pytest.mark.parametrize("broken", ["ImportError('libcurand.so.10')", "ValueError('numpy.dtype')"])
def test_a_library_that_is_broken_gives_way_to_the_other_one(
    board: Play, broken: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "site" / "pycuda"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "driver.py").write_text(f"raise {broken}")
    with board(cuda="cuda-python"):
        monkeypatch.syspath_prepend(str(folder.parent))
        gpu = open_gpu()
        assert gpu.library == "cuda-python"
        gpu.close()
    with board(cuda=""):
        monkeypatch.syspath_prepend(str(folder.parent))
        with pytest.raises(UnavailableError) as refused:
            open_gpu()
    assert refused.value.code == "cuda.library"
    assert f"PyCUDA: {broken.partition(chr(39))[2][:-2]}" in refused.value.what


def _named(bundle: Path, **given: Any) -> str:
    """Open the bundle's network as a service does, and return its engine's name and batch."""
    engine, _ = Ways(engine="tensorrt", **given).open(Bundle.open(bundle), "mask")
    with closing(engine):
        engine.run()
        return f"{engine.name} {engine.inputs[0].dtype} {engine.batch}"


def test_an_accelerators_engine_is_found_by_its_number_alone(board: Play, bundle: Path) -> None:
    with board(DLA="2"):
        command = ["build", str(bundle), "--precision", "fp16", "--dla", "1"]
        assert main(command) == 0
        assert _named(bundle, precision="fp16", dla="1") == "tensorrt float32 1"
        for given, words in (
            ({"precision": "fp16"}, "--precision fp16"),
            ({"precision": "fp16", "dla": "0"}, "--precision fp16 --dla 0"),
            ({"dla": "1"}, "--precision int8 --dla 1"),
        ):
            with pytest.raises(UnavailableError) as missing:
                _named(bundle, **given)
            assert missing.value.code == "engine.stale"
            assert missing.value.hint.endswith(f"edge-export build BUNDLE {words}")


def test_what_tensorrt_refuses_is_thrown_away_and_built_again(board: Play, bundle: Path) -> None:
    """Of this device and this release, and not for this GPU after all: TensorRT knows best."""
    built: list[str] = []
    artefact = Bundle.open(bundle).artefact("mask", "onnxruntime", "int8")
    with board(COMPUTE="8.9"):
        foreign = _plan()

    def build(precision: str) -> None:
        built.append(precision)
        assert main(["build", str(bundle), "--precision", precision]) == 0

    with board():
        gpu = open_gpu()
        target = target_of(gpu, import_tensorrt())
        gpu.close()
        EngineCache().put(artefact.sha256, target, foreign)
        with pytest.raises(UnavailableError, match="incompatible device") as refused:
            open_engine(artefact, engine="tensorrt")
        assert refused.value.code == "engine.stale"
        EngineCache().put(artefact.sha256, target, foreign)
        assert _named(bundle, build=build) == "tensorrt int8 4"
        assert _named(bundle, build=build) == "tensorrt int8 4"
    assert built == ["int8"]


def test_a_precision_that_a_race_chose_is_the_one_that_is_built(board: Play, bundle: Path) -> None:
    from edge.choice import Choice, Chosen

    built: list[str] = []

    def build(precision: str) -> None:
        built.append(precision)
        assert main(["build", str(bundle), "--precision", precision]) == 0

    choice = Choice("", {"mask": Chosen("tensorrt", "fp16", 1)}, ())
    with board():
        engine, contract = Ways(choice=choice, build=build).open(Bundle.open(bundle), "mask")
        with closing(engine):
            assert (engine.name, contract.inputs[0].dtype) == ("tensorrt", "float32")
    assert built == ["fp16"]


def test_a_build_that_fails_for_another_network_leaves_this_ones_engine(
    board: Play, bundle: Path
) -> None:
    heard: list[EdgeError] = []

    def build(precision: str) -> None:
        assert main(["build", str(bundle), "--precision", precision]) == 0
        raise UnavailableError("the TensorRT engines could not be built", code="engine.build")

    with board():
        given: dict[str, Any] = {"fallback": "onnxruntime", "report": heard.append}
        assert _named(bundle, build=build, **given) == "tensorrt int8 4"
    assert heard == []
