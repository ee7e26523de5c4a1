"""Names, shapes, layouts and bytes of the ONNX file, and what is folded on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e .[test]")

from export.onnx_writer import write_onnx
from tests.export.onnx_writer_kit import (
    Bench,
    as_onnx,
    counts,
    error_db,
    model_of,
    run_onnx,
    run_tflite,
    samples_of,
)


def _real(*shape: int) -> Any:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32) / 5


def _small(m: Bench) -> int:
    """A residual network with a pool, a resize, a concatenation and a picture as its output."""
    x = m.input(1, 8, 8, 3, name="photo")
    a = m.conv(x, _real(6, 3, 3, 3), _real(6), act="RELU6", name="stem")
    b = m.conv(a, _real(6, 3, 3, 6), _real(6), name="inner")
    c = m.add(a, b, act="RELU", name="sum")
    pooled = m.node("MAX_POOL_2D", [c], (1, 4, 4, 6), options="Pool2DOptions", padding=1,
                    filterHeight=2, filterWidth=2, strideH=2, strideW=2, name="pooled")  # fmt: skip
    size = m.constant(np.array([8, 8], np.int32))
    wide = m.node("RESIZE_NEAREST_NEIGHBOR", [pooled, size], (1, 8, 8, 6), name="wide",
                  options="ResizeNearestNeighborOptions", halfPixelCenters=True)  # fmt: skip
    joined = m.concat(wide, c)
    return m.conv(joined, _real(2, 1, 1, 12), _real(2), name="drawn")


def _shapes(values: Any) -> dict[str, list[int]]:
    return {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


def test_names_and_shapes_are_those_of_the_tflite_file() -> None:
    maker = Bench()
    graph = model_of(as_onnx(maker, _small(maker))).graph
    assert _shapes(graph.input) == {"args_0": [1, 8, 8, 3]}
    assert _shapes(graph.output) == {"output_0": [1, 8, 8, 2]}
    inside = _shapes(graph.value_info)
    assert inside["photo"] == [1, 3, 8, 8]
    assert inside["stem"] == [1, 6, 8, 8]
    assert {"inner", "sum", "pooled", "wide", "drawn"} <= inside.keys()
    assert {v.name for v in graph.value_info if v.doc_string == "NCHW"} >= {"stem", "drawn"}


def test_a_picture_is_transposed_once_at_either_end() -> None:
    maker = Bench()
    found = counts(as_onnx(maker, _small(maker)))
    assert found["Transpose"] == 2
    assert found["Identity"] == found["Reshape"] == 0


def test_equal_input_gives_equal_bytes() -> None:
    first, second = Bench(), Bench()
    assert as_onnx(first, _small(first)) == as_onnx(second, _small(second))


def test_a_file_without_a_signature_gets_its_names() -> None:
    maker = Bench()
    content = maker.build(_small(maker), signature=False)
    graph = model_of(write_onnx(content, precision="fp32", ranges=None, where="test")).graph
    assert [v.name for v in (*graph.input, *graph.output)] == ["args_0", "output_0"]


def test_a_pad_in_front_of_convolutions_becomes_theirs() -> None:
    maker = Bench()
    x = maker.input(1, 8, 8, 3)
    pixels = maker.constant(np.array([[0, 0], [0, 1], [0, 1], [0, 0]], np.int32))
    padded = maker.node("PAD", [x, pixels], (1, 9, 9, 3))
    ends = [
        maker.node("CONV_2D", [padded, maker.constant(_real(n, 3, 3, 3)), maker.constant(_real(n))],
                   (1, 4, 4, n), options="Conv2DOptions", padding=1, strideH=2, strideW=2)
        for n in (4, 5)
    ]  # fmt: skip
    content = as_onnx(maker, *ends)
    assert counts(content)["Pad"] == 0
    convs = [n for n in model_of(content).graph.node if n.op_type == "Conv"]
    assert [list(a.ints) for n in convs for a in n.attribute if a.name == "pads"] == [
        [0, 0, 1, 1]
    ] * 2
    _same(maker, ends, content)


def test_a_pad_that_others_read_stays() -> None:
    maker = Bench()
    x = maker.input(1, 8, 8, 3)
    pixels = maker.constant(np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    padded = maker.node("PAD", [x, pixels], (1, 10, 10, 3))
    ends = [
        maker.conv(padded, _real(4, 3, 3, 3), _real(4)),
        maker.node("ABS", [padded], (1, 10, 10, 3)),
    ]
    content = as_onnx(maker, *ends)
    assert counts(content)["Pad"] == 1
    _same(maker, ends, content)


def test_transposes_that_only_undo_the_layout_vanish() -> None:
    """What litert-torch leaves round a PAD: to NCHW, pad, back."""
    maker = Bench()
    x = maker.input(1, 8, 8, 3)
    a = maker.conv(x, _real(4, 3, 3, 3), _real(4))
    first = maker.node("TRANSPOSE", [a, maker.constant(np.array([0, 3, 1, 2], np.int32))],
                       (1, 4, 8, 8))  # fmt: skip
    pixels = maker.constant(np.array([[0, 0], [0, 0], [0, 1], [0, 1]], np.int32))
    padded = maker.node("PAD", [first, pixels], (1, 4, 9, 9))
    last = maker.node("TRANSPOSE", [padded, maker.constant(np.array([0, 2, 3, 1], np.int32))],
                      (1, 9, 9, 4))  # fmt: skip
    inputs = [last, maker.constant(_real(2, 3, 3, 4)), maker.constant(_real(2))]
    y = maker.node("CONV_2D", inputs, (1, 4, 4, 2), options="Conv2DOptions", padding=1,
                   strideH=2, strideW=2)  # fmt: skip
    content = as_onnx(maker, y)
    assert counts(content) == {"Transpose": 2, "Conv": 2}
    _same(maker, [y], content)


def test_one_pixel_or_one_channel_is_reshaped_not_transposed() -> None:
    maker = Bench()
    x = maker.input(1, 4, 4, 1)
    a = maker.conv(x, _real(6, 3, 3, 1), _real(6))
    mean = maker.node("MEAN", [a, maker.constant(np.array([1, 2], np.int32))], (1, 1, 1, 6),
                      options="ReducerOptions", keepDims=True)  # fmt: skip
    y = maker.dense(mean, _real(3, 6), _real(3))
    content = as_onnx(maker, y)
    assert counts(content)["Transpose"] == 0
    _same(maker, [y], content)


def test_computed_sizes_are_folded() -> None:
    maker = Bench()
    x = maker.input(1, 4, 4, 2)
    a = maker.conv(x, _real(6, 3, 3, 2), _real(6))
    sizes = maker.node("SHAPE", [a], (4,), dtype="int32", options="ShapeOptions", outType=2)
    part = maker.node("GATHER", [sizes, maker.constant(np.array([0, 3], np.int32))], (2,),
                      dtype="int32", options="GatherOptions")  # fmt: skip
    wanted = maker.node("CONCATENATION", [part, maker.constant(np.array([-1], np.int32))], (3,),
                        dtype="int32", options="ConcatenationOptions")  # fmt: skip
    y = maker.node("RESHAPE", [a, wanted], (1, 6, 16), options="ReshapeOptions")
    content = as_onnx(maker, y)
    assert counts(content).keys() == {"Transpose", "Conv", "Reshape", "Identity"}
    _same(maker, [y], content)


def test_mixed_ranks_meet_in_the_tflite_files_layout() -> None:
    maker = Bench()
    x = maker.input(1, 4, 5, 3)
    scale = maker.input(5, 3)
    a = maker.conv(x, _real(3, 3, 3, 3), _real(3))
    y = maker.node("MUL", [a, scale], (1, 4, 5, 3), options="MulOptions")
    _same(maker, [y], as_onnx(maker, y))


def test_an_input_that_is_handed_out_is_copied() -> None:
    maker = Bench()
    x = maker.input(1, 4, 5, 3)
    y = maker.node("RELU", [x], (1, 4, 5, 3))
    _same(maker, [x, y, y], as_onnx(maker, x, y, y))


def _same(maker: Bench, ends: list[int], written: bytes) -> None:
    model_of(written)
    content = maker.build(*ends)
    (sample,) = samples_of(content)
    pairs = zip(run_tflite(content, sample), run_onnx(written, sample), strict=True)
    assert min(error_db(a, b) for a, b in pairs) > 90
