"""Several faces in one call: built where every layer allows it, run by every generation's rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install -e .[test]")

from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.engines.tensorrt import TensorRTEngine
from edge.errors import BundleError
from edge.results import Detection
from edge.stages import MaskStage
from export.onnx_writer import write_onnx, writer
from export.toolchains.tensorrt import Built, Options
from export.toolchains.tensorrt.builder import build_here
from tests.export.onnx_writer_kit import Bench
from tests.makers import make_frame
from tests.trt.nets import contract_of, network
from tests.trt.play import RELEASES, Play

MOST = 4


def _build(
    precision: str = "int8", *, batch: int = MOST, onnx: bytes | None = None, dla: int | None = None
) -> Built:
    from edge.engines.plans import import_tensorrt

    content = network(precision) if onnx is None else onnx
    options = Options(precision, 64, dla, batch)
    return build_here(
        import_tensorrt(), content, options, timing=b"", where="mask", say=lambda line: None
    )


def _opened(plan: bytes, precision: str = "int8") -> TensorRTEngine:
    return TensorRTEngine(plan, contract_of(precision), where="mask")


def _faces(precision: str = "int8", count: int = MOST) -> Any:
    values = np.random.default_rng(1).integers(-100, 100, (count, 16, 16, 3))
    return values.astype(np.int8) if precision == "int8" else (values / 128).astype(np.float32)


def _wanted(precision: str = "int8") -> Any:
    """Return what ONNX Runtime computes of the same file, face by face."""
    found = []
    contract = contract_of(precision)
    with OnnxRuntimeEngine(network(precision), contract, threads=1, where="mask") as engine:
        assert engine.batch == 1
        for face in _faces(precision):
            engine.inputs[0][:] = face
            engine.run()
            found.append(engine.outputs[0].copy())
    return np.concatenate(found)


@pytest.mark.parametrize("precision", ["int8", "fp16"])
@pytest.mark.parametrize("release", RELEASES)
def test_any_number_of_faces_up_to_the_batch(board: Play, release: str, precision: str) -> None:
    wanted = _wanted(precision)
    with board(tensorrt=release):
        built = _build(precision)
        assert built.batch == MOST
        with _opened(built.plan, precision) as engine:
            assert engine.batch == MOST and engine.inputs[0].shape == (MOST, 16, 16, 3)
            held = engine.inputs[0].ctypes.data
            for count in (2, 4, 1, 3, 4):
                engine.inputs[0][:] = _faces(precision)[::-1]
                engine.inputs[0][:count] = _faces(precision, MOST)[:count]
                engine.outputs[0][:] = -1
                engine.run(count)
                np.testing.assert_allclose(engine.outputs[0][:count], wanted[:count], atol=1e-6)
                assert (engine.outputs[0][count:] == -1).all(), "others are left alone"
            assert engine.inputs[0].ctypes.data == held


@pytest.mark.parametrize("release", ["8.6", "10.3", "11.4"])
def test_one_recording_for_each_number_of_faces(board: Play, release: str) -> None:
    """Which under TensorRT 8 would not hold, where all numbers have one context."""
    wanted = _wanted()
    with board(tensorrt=release, cuda="cuda-python"), _opened(_build().plan) as engine:
        engine.inputs[0][:] = _faces()
        held = []
        for count in (3, 1, 3, 4, 1, 2, 3):
            engine.run(count)
            np.testing.assert_allclose(engine.outputs[0][:count], wanted[:count], atol=1e-6)
            held.append(sorted(engine.recorded))
    if release == "8.6":
        assert held == [[]] * 7
    else:
        assert held == [[1, 3], [1, 3], [1, 3], [1, 3, 4], [1, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]]


def test_what_takes_one_face_is_recorded_in_every_release(board: Play) -> None:
    for release in ("8.5", "10.16"):
        with (
            board(tensorrt=release, cuda="cuda-python"),
            _opened(_build(batch=1).plan) as engine,
        ):
            assert engine.batch == 1 and engine.recorded == {1}
            engine.run()


def test_a_stage_asks_for_all_faces_at_once(board: Play) -> None:
    frame, contract = make_frame(), contract_of("int8")
    box, points = np.array([40, 40, 60, 60], np.float32), np.zeros((5, 2), np.float32)
    faces = [Detection(box + np.float32(9 * i), 0.9, points) for i in range(6)]
    with OnnxRuntimeEngine(network("int8"), contract, threads=1, where="mask") as engine:
        wanted = MaskStage(engine, contract).many(frame, faces)
    with board(), _opened(_build().plan) as engine:
        stage = MaskStage(engine, contract)
        found = stage.many(frame, faces)
        assert stage.time.runs == 6
    assert [mask.state for mask in found] == [mask.state for mask in wanted]
    np.testing.assert_allclose([m.score for m in found], [m.score for m in wanted], atol=1e-6)


def _excited(monkeypatch: pytest.MonkeyPatch, *, named: bool) -> bytes:
    """Return a network that scales its channels by what they hold, with a Reshape on a side branch.

    Where that names one face, what is handed out is open all the same.
    """
    m, rng = Bench(), np.random.default_rng(3)
    x = m.input(1, 16, 16, 3, name="photo")
    y = m.conv(x, rng.normal(size=(4, 3, 3, 3)).astype(np.float32), np.zeros(4, np.float32))
    axes = m.constant(np.array([1, 2], np.int32))
    pooled = m.node("MEAN", [y, axes], (1, 4), options="ReducerOptions")
    side = m.node("RESHAPE", [pooled, m.constant(np.array([1, 1, 1, 4], np.int32))], (1, 1, 1, 4))
    scaled = m.node("MUL", [y, side], m.shape(y), options="MulOptions")
    last = m.node("MEAN", [scaled, axes], (1, 4), options="ReducerOptions")
    weight = rng.normal(size=(3, 4)).astype(np.float32)
    content = m.build(m.dense(last, weight, np.zeros(3, np.float32)))
    with monkeypatch.context() as patch:
        if named:
            patch.setattr(writer, "free_leading", lambda draft: draft)
        return write_onnx(content, precision="fp32", ranges=None, where="test")


@pytest.mark.parametrize("release", ["8.5", "10.3", "11.4"])
def test_a_layer_that_means_one_face_makes_an_engine_for_one(
    board: Play, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    files = {named: _excited(monkeypatch, named=named) for named in (False, True)}
    outputs = []
    with board(tensorrt=release):
        for named, content in files.items():
            built = _build("fp32", onnx=content)
            assert built.batch == (1 if named else MOST)
            with _opened(built.plan, "fp32") as engine:
                engine.inputs[0][0] = _faces("fp32")[0]
                engine.run()
                outputs.append(engine.outputs[0][0].copy())
    np.testing.assert_allclose(*outputs, atol=1e-6)


def test_the_accelerator_takes_one_face(board: Play) -> None:
    with board(DLA="1"):
        assert _build("fp16", dla=0).batch == 1


def test_no_more_than_fit(board: Play) -> None:
    with board(), _opened(_build(batch=2).plan) as engine:
        for count in (0, 3):
            with pytest.raises(AssertionError, match="2 fit"):
                engine.run(count)


def test_an_engine_of_other_sizes_is_refused(board: Play) -> None:
    contract = contract_of("int8")
    spec = dataclasses.replace(contract.inputs[0], shape=(1, 32, 32, 3))
    with board():
        plan = _build().plan
        with pytest.raises(BundleError, match=r"\[-1, 16, 16, 3\], in its contract int8 \[1, 32"):
            TensorRTEngine(plan, dataclasses.replace(contract, inputs=(spec,)), where="mask")


def test_contexts_share_the_memory_that_was_lent(board: Play) -> None:
    """And all of it is given back: what is left the stand-in counts at the end."""
    with board(cuda="cuda-python"):
        from standin.gpu import GPU

        with _opened(_build().plan) as engine:
            before = GPU.left()
            for count in range(1, MOST + 1):
                engine.run(count)
            assert GPU.left() == before
        assert GPU.left() == ""
