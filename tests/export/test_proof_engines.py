from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.foreign.picture import Picture
from export.cards.card import TensorCard
from export.program.lowered import Lowered, contract_of
from export.proof.engines import open_artefact, open_original, to_bytes
from tests.export.tflite_maker import make, ranges_of, samples_of, small

PICTURE = Picture(16, 16, "BGR", 128.0, 128.0)
CARDS = (TensorCard("image", PICTURE.shape, "BGR"),)
FLOAT = make(small)
INT8 = make(small, ranges_of(FLOAT, samples_of(PICTURE.shape)))


def _pixels(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)


@given(st.sampled_from([(0.0, 1.0), (114.0, 58.0), (127.0, 128.0), (127.5, 127.5), (0.0, 255.0)]))
def test_real_values_go_back_to_the_bytes_they_were_made_of(scale: tuple[float, float]) -> None:
    picture = Picture(16, 16, "RGB", *scale)
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    (values,) = to_bytes((picture.real(pixels),), (picture,))
    assert np.array_equal(values[0], pixels)


def test_an_onnx_file_gets_channels_first_whatever_its_initializers_are(tmp_path: Path) -> None:
    """Old exports name their weights among the inputs, too."""
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install -e .[export]")
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e .[test]")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    weight = np.array([1, 10, 100], np.float32).reshape(1, 3, 1, 1)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "g",
        [
            helper.make_tensor_value_info("x", number, (1, 3, 16, 16)),
            helper.make_tensor_value_info("w", number, (1, 3, 1, 1)),
        ],
        [helper.make_tensor_value_info("y", number, (1, 1, 16, 16))],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "net.onnx"
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    values = PICTURE.real(_pixels())
    (out,) = open_original(path)((values,))
    np.testing.assert_allclose(out[0, 0], values[0] @ [1, 10, 100], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("content", [FLOAT, INT8], ids=["float", "int8"])
def test_a_tflite_file_and_the_artefact_of_it_say_the_same(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    contract = contract_of(content, "tflite", card=None, name="small", pictures=CARDS)
    lowered = Lowered("small", "tflite", "any", content, contract)
    original = open_original(path)
    with open_artefact(lowered, (PICTURE,)) as ours:
        for seed in range(4):
            inputs = (PICTURE.real(_pixels(seed)),)
            (wanted,), (given,) = original(inputs), ours(inputs)
            assert wanted.dtype == given.dtype == np.float32
            np.testing.assert_allclose(given, wanted, atol=1e-6)
            assert given.sum() == pytest.approx(1, abs=0.02)


def test_outputs_stay_when_the_next_run_comes(tmp_path: Path) -> None:
    """A runtime hands out its own memory."""
    path = tmp_path / "net.tflite"
    path.write_bytes(FLOAT)
    contract = contract_of(FLOAT, "tflite", card=None, name="small", pictures=CARDS)
    lowered = Lowered("small", "tflite", "fp32", FLOAT, contract)
    original = open_original(path)
    with open_artefact(lowered, (PICTURE,)) as ours:
        for run in (original, ours):
            (first,) = run((PICTURE.real(_pixels(1)),))
            kept = first.copy()
            run((PICTURE.real(_pixels(2)),))
            assert np.array_equal(first, kept)
