"""Half precision, and INT8 with Q/DQ where TensorRT wants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e .[test]")

from edge.errors import ConfigError, DataError, UsageError
from export.calibration.ranges import observe
from export.onnx_writer import input_steps, write_onnx
from export.toolchains.rules import check_rules
from tests.export.onnx_writer_kit import (
    Bench,
    counts,
    error_db,
    model_of,
    run_onnx,
    run_tflite,
)

_BYTES = (-1.0, 127 / 128)
Spans = Mapping[str, tuple[float, float]]


def _real(*shape: int) -> Any:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32) / 4


def _residual() -> bytes:
    """Two convolutions round a shortcut, then a pool and a classifier."""
    m = Bench()
    x = m.input(1, 8, 8, 3, name="photo")
    stem = m.conv(x, _real(6, 3, 3, 3), _real(6), act="RELU6", name="stem")
    first = m.conv(stem, _real(6, 3, 3, 6), _real(6), act="RELU6", name="first")
    second = m.conv(first, _real(6, 3, 3, 6), _real(6), name="second")
    total = m.add(stem, second, act="RELU6", name="total")
    last = m.conv(total, _real(4, 3, 3, 6), _real(4), act="RELU", name="last")
    mean = m.node("MEAN", [last, m.constant(np.array([1, 2], np.int32))], (1, 4), name="mean",
                  options="ReducerOptions")  # fmt: skip
    return m.build(m.dense(mean, _real(3, 4), _real(3), name="logits"))


def _samples(count: int, channels: int = 3) -> list[tuple[Any]]:
    rng = np.random.default_rng(0)
    shape = (1, 8, 8, channels)
    return [((rng.integers(0, 256, shape) / np.float32(128) - 1).astype(np.float32),)
            for _ in range(count)]  # fmt: skip


def _ranges(content: bytes) -> Any:
    graph_inputs = content.count(b"args_")
    spans = [_BYTES] * max(graph_inputs, 1)
    return observe(content, _samples(8), spans=spans[:1], where="test")


def _int8(content: bytes, ranges: Spans | None = None, **options: Any) -> bytes:
    ranges = _ranges(content) if ranges is None else ranges
    return write_onnx(content, precision="int8", ranges=ranges, where="test", **options)


def _constants(model: Any) -> dict[str, Any]:
    return {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}


def _scales(content: bytes) -> dict[str, float]:
    """Return the scale of each activation that has a pair."""
    model = model_of(content)
    constants = _constants(model)
    quantisers = [n for n in model.graph.node if n.op_type == "QuantizeLinear"]
    return {n.input[0]: float(constants[n.input[1]]) for n in quantisers}


# half precision


def test_half_precision_has_one_cast_at_each_end_and_float16_between() -> None:
    content = _residual()
    written = write_onnx(content, precision="fp16", ranges=None, where="test")
    graph = model_of(written).graph
    assert counts(written)["Cast"] == 2
    kinds = {v.type.tensor_type.elem_type for v in (*graph.input, *graph.output)}
    assert kinds == {onnx.TensorProto.FLOAT}
    inside = {v.type.tensor_type.elem_type for v in graph.value_info}
    assert inside == {onnx.TensorProto.FLOAT16}
    stored = {t.data_type for t in graph.initializer}
    assert onnx.TensorProto.FLOAT not in stored
    for sample in _samples(3):
        wanted = run_tflite(content, sample)
        assert error_db(wanted[0], run_onnx(written, sample)[0]) > 50


def test_half_precision_refuses_a_weight_beyond_it_by_name() -> None:
    m = Bench()
    x = m.input(1, 4, 4, 2)
    weight = _real(2, 1, 1, 2)
    weight[0] = 1e5
    y = m.node("CONV_2D", [x, m.constant(weight, name="huge"), m.constant(_real(2))],
               (1, 4, 4, 2), options="Conv2DOptions", strideH=1, strideW=1)  # fmt: skip
    with pytest.raises(ConfigError, match=r"huge/onnx holds 100000, beyond float16"):
        write_onnx(m.build(y), precision="fp16", ranges=None, where="test")


def test_half_precision_refuses_an_activation_beyond_it_by_name() -> None:
    content = _residual()
    ranges = {**_ranges(content), "second": (-1.0, 70000.0)}
    with pytest.raises(ConfigError, match=r"second \(-1 to 70000\)"):
        write_onnx(content, precision="fp16", ranges=ranges, where="test")


def test_half_precision_keeps_the_guard_of_a_divisor() -> None:
    """1e-12 is 0 in float16, and 0 / 0 is not a number."""
    m = Bench()
    x = m.input(1, 6)
    guard = m.constant(np.array(1e-12, np.float32))
    kept = m.node("MAXIMUM", [x, guard], (1, 6))
    content = m.build(m.node("DIV", [x, kept], (1, 6), options="DivOptions"))
    written = write_onnx(content, precision="fp16", ranges=None, where="test")
    assert run_onnx(written, (np.zeros((1, 6), np.float32),))[0].tolist() == [[0.0] * 6]


def test_half_precision_has_a_least_number_for_a_pad_below_all() -> None:
    m = Bench()
    x = m.input(1, 4, 4, 1)
    pads = m.constant(np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    least = m.constant(np.array(np.finfo(np.float32).min, np.float32))
    padded = m.node("PADV2", [x, pads, least], (1, 6, 6, 1))
    y = m.node("MAX_POOL_2D", [padded], (1, 3, 3, 1), options="Pool2DOptions", padding=1,
               filterHeight=2, filterWidth=2, strideH=2, strideW=2)  # fmt: skip
    content = m.build(y)
    written = write_onnx(content, precision="fp16", ranges=None, where="test")
    sample = (np.full((1, 4, 4, 1), -3.0, np.float32),)
    assert np.array_equal(run_onnx(written, sample)[0], run_tflite(content, sample)[0])


# INT8


def test_int8_stays_near_the_float_network_and_within_the_rules() -> None:
    content = _residual()
    written = _int8(content)
    assert check_rules(written) == []
    errors = [
        error_db(run_tflite(content, sample)[0], run_onnx(written, sample)[0])
        for sample in _samples(12)[8:]
    ]
    assert min(errors) > 25


def test_pairs_stand_on_inputs_of_weights_and_shortcuts_only() -> None:
    """Not on ``second``, which TensorRT fuses into the sum, nor between a layer and its ReLU."""
    assert _scales(_int8(_residual())).keys() == {"stem", "first", "total", "mean"}


def test_a_scale_is_the_greatest_magnitude_over_127() -> None:
    content = _residual()
    ranges = {**_ranges(content), "mean": (-3.0, 2.0), "first": (0.5, 6.0)}
    scales = _scales(_int8(content, ranges))
    assert scales["mean"] == pytest.approx(3 / 127)
    assert scales["first"] == pytest.approx(6 / 127)


def test_weights_are_stored_in_int8_one_scale_a_channel_and_biases_in_float() -> None:
    model = model_of(_int8(_residual()))
    constants = _constants(model)
    makers = {n.output[0]: n for n in model.graph.node}
    weighted = [n for n in model.graph.node if n.op_type in ("Conv", "Gemm")]
    assert len(weighted) == 5
    for node in weighted:
        dequantise = makers[node.input[1]]
        stored, scale, zero = (constants[name] for name in dequantise.input)
        assert dequantise.op_type == "DequantizeLinear"
        assert [a.i for a in dequantise.attribute if a.name == "axis"] == [0]
        assert stored.dtype == zero.dtype == np.int8
        assert scale.shape == zero.shape == (stored.shape[0],)
        assert np.abs(stored.reshape(len(stored), -1)).max(axis=1).tolist() == [127] * len(stored)
        assert not zero.any()
        assert constants[node.input[2]].dtype == np.float32


def test_a_channel_without_weights_has_a_scale() -> None:
    m = Bench()
    x = m.input(1, 8, 8, 3, name="photo")
    weight = _real(2, 1, 1, 3)
    weight[1] = 0
    content = m.build(m.conv(x, weight, np.array([0.5, 2.0], np.float32)))
    written = _int8(content)
    assert check_rules(written) == []
    (sample,) = _samples(1)
    assert np.abs(run_onnx(written, sample)[0][..., 1] - 2.0).max() < 1e-6


def test_raw_bytes_go_in() -> None:
    content = _residual()
    written = _int8(content)
    given = model_of(written).graph.input[0]
    assert given.type.tensor_type.elem_type == onnx.TensorProto.INT8
    assert input_steps(written) == {"args_0": (1 / 128, 0)}
    found = counts(written)
    assert found["Add"] == 1  # the residual sum, none at the input
    assert found["QuantizeLinear"] == 4


def test_bytes_that_mean_0_to_255_go_in_too() -> None:
    """TensorRT knows no zero points, so the zero point's real value is added behind."""
    content = _residual()
    ranges = {**_ranges(content), "photo": (0.0, 255.0)}
    written = _int8(content, ranges)
    assert input_steps(written) == {"args_0": (1.0, -128)}
    assert check_rules(written) == []
    sample = (np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3)).astype(np.float32),)
    photo = model_of(written)
    photo.graph.output.add().name = "photo/nhwc"
    assert np.array_equal(run_onnx(photo.SerializeToString(), sample)[1], sample[0])


def test_concatenations_pools_and_resizes_have_one_scale() -> None:
    m = Bench()
    x = m.input(1, 8, 8, 3, name="photo")
    a = m.conv(x, _real(4, 3, 3, 3), _real(4), act="RELU", name="a")
    b = m.conv(a, 5 * _real(4, 3, 3, 4), _real(4), act="RELU", name="b")
    small = m.node("MAX_POOL_2D", [b], (1, 4, 4, 4), options="Pool2DOptions", padding=1,
                   filterHeight=2, filterWidth=2, strideH=2, strideW=2, name="small")  # fmt: skip
    wide = m.node("RESIZE_NEAREST_NEIGHBOR", [small, m.constant(np.array([8, 8], np.int32))],
                  (1, 8, 8, 4), options="ResizeNearestNeighborOptions", name="wide")  # fmt: skip
    joined = m.concat(wide, a)
    content = m.build(m.conv(joined, _real(2, 1, 1, 8), _real(2)))
    ranges = _ranges(content)
    scales = _scales(_int8(content, ranges))
    assert set(scales) == {"a", "b", "small", "wide", next(n for n in scales if "CONCAT" in n)}
    (scale,) = set(scales.values())
    assert scale == pytest.approx(ranges["b"][1] / 127)


def test_pictures_that_come_in_are_joined_without_rounding_them_again() -> None:
    m = Bench()
    inputs = [m.input(1, 8, 8, n, name=f"in{n}") for n in (3, 1)]
    joined = m.concat(*inputs)
    content = m.build(m.conv(joined, _real(2, 3, 3, 4), _real(2)))
    names = ["in3", "in1", next(n for n in ("CONCATENATION_0",))]
    written = _int8(content, dict.fromkeys(names, _BYTES))
    assert _scales(written) == {"CONCATENATION_0": 1 / 128}
    assert check_rules(written) == []


def test_what_feeds_only_float_operators_has_no_pair() -> None:
    m = Bench()
    x = m.input(1, 8, 8, 3, name="photo")
    a = m.conv(x, _real(4, 3, 3, 3), _real(4), name="a")
    b = m.conv(x, _real(4, 3, 3, 3), _real(4), name="b")
    total = m.add(a, b, name="total")
    content = m.build(m.node("LOGISTIC", [total], (1, 8, 8, 4)))
    assert _scales(_int8(content)) == {}


def test_of_two_convolutions_in_a_sum_one_is_rounded() -> None:
    m = Bench()
    x = m.input(1, 8, 8, 3, name="photo")
    a = m.conv(x, _real(4, 3, 3, 3), _real(4), name="a")
    b = m.conv(x, 2 * _real(4, 3, 3, 3), _real(4), name="b")
    total = m.add(a, b, act="RELU", name="total")
    content = m.build(m.conv(total, _real(2, 1, 1, 4), _real(2)))
    written = _int8(content)
    assert _scales(written).keys() == {"a", "total"}
    assert check_rules(written) == []


def test_a_reshape_is_passed_through() -> None:
    m = Bench()
    x = m.input(1, 8, 8, 3, name="photo")
    a = m.conv(x, _real(2, 8, 8, 3), _real(2), act="RELU", name="a", padding=0)
    content = m.build(m.dense(a, _real(3, 128), _real(3)))
    written = _int8(content)
    assert _scales(written).keys() == {"a"}
    assert check_rules(written) == []


def test_kept_operators_stay_float() -> None:
    content = _residual()
    written = _int8(content, keep_float=frozenset({"first", "logits"}))
    model = model_of(written)
    makers = {n.output[0]: n for n in model.graph.node}
    kinds = {}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            weight = makers.get(node.input[1])
            kinds[node.output[0].partition("/")[0]] = weight is not None
    assert kinds == {"stem": True, "first": False, "second": True, "last": True, "logits": False}
    # The shortcut needs stem in INT8 all the same; mean was only for the classifier.
    assert _scales(written).keys() == {"stem", "first", "total"}


def test_a_transposed_convolution_is_int8_along_its_second_axis() -> None:
    m = Bench()
    x = m.input(1, 8, 8, 3, name="photo")
    sizes = m.constant(np.array([1, 16, 16, 4], np.int32))
    weight = m.constant(_real(4, 2, 2, 3))
    y = m.node("TRANSPOSE_CONV", [sizes, weight, x, m.constant(_real(4))], (1, 16, 16, 4),
               options="TransposeConvOptions", strideH=2, strideW=2)  # fmt: skip
    content = m.build(y)
    written = _int8(content)
    assert check_rules(written) == []
    node = next(n for n in model_of(written).graph.node if n.output[0].endswith("/dq"))
    assert [a.i for a in node.attribute if a.name == "axis"] == [1]
    (sample,) = _samples(1)
    assert error_db(run_tflite(content, sample)[0], run_onnx(written, sample)[0]) > 35


def test_equal_input_gives_equal_bytes() -> None:
    assert _int8(_residual()) == _int8(_residual())


@pytest.mark.parametrize("opset", [13, 17, 20])
def test_int8_is_written_in_every_opset(opset: int) -> None:
    content = _residual()
    written = _int8(content, opset=opset)
    assert check_rules(written) == []
    (sample,) = _samples(1)
    assert error_db(run_tflite(content, sample)[0], run_onnx(written, sample)[0]) > 25


# what is refused


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"precision": "int4", "ranges": None}, "onnx.precision"),
        ({"precision": "fp32", "ranges": None, "opset": 12}, "onnx.opset"),
        ({"precision": "fp32", "ranges": None, "opset": 22}, "onnx.opset"),
        ({"precision": "int8", "ranges": {}, "opset": 21}, "onnx.opset"),
        ({"precision": "int8", "ranges": None}, "export.ranges"),
        ({"precision": "fp16", "ranges": None, "keep_float": frozenset("a")}, "export.keep_float"),
        ({"precision": "int8", "ranges": {}, "keep_float": frozenset("a")}, "export.keep_float"),
    ],
)
def test_wrong_settings_are_refused(options: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        write_onnx(_residual(), where="test", **options)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["photo", "stem", "mean"])
def test_a_missing_range_is_named(name: str) -> None:
    content = _residual()
    ranges = {key: span for key, span in _ranges(content).items() if key != name}
    with pytest.raises(DataError, match=f"no range for tensor {name}"):
        _int8(content, ranges)
