"""What cannot be written is refused with its operators and tensors; nothing else is raised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")

from benchmarks.anatomy.graph import read_graph
from edge.errors import ConfigError, DataError, EdgeError
from export.onnx_writer import write_onnx
from export.onnx_writer.translate import translate
from tests.export.onnx_writer_kit import Bench


def _real(*shape: int) -> Any:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def _translate(content: bytes) -> None:
    """Go straight to the graph: what LiteRT itself would refuse is to be refused here as well."""
    translate(read_graph(content, where="x"), opset=19, real="float32", inputs=None, where="x")


def test_all_unsupported_operators_are_named_at_once() -> None:
    m = Bench()
    x = m.input(1, 4)
    a = m.node("ZEROS_LIKE", [x], (1, 4), name="wave")
    b = m.node("RELU", [a], (1, 4), name="fine")
    c = m.node("CUMSUM", [b, m.constant(np.array(1, np.int32))], (1, 4), name="running")
    with pytest.raises(ConfigError) as caught:
        write_onnx(m.build(c), precision="fp32", ranges=None, where="net.tflite")
    assert caught.value.code == "onnx.operator"
    assert "net.tflite: cannot be written as ONNX: ZEROS_LIKE 'wave' is not supported; "\
        "CUMSUM 'running' is not supported" in str(caught.value)  # fmt: skip


def test_a_long_list_is_cut() -> None:
    m = Bench()
    x = m.input(1, 4)
    for number in range(9):
        x = m.node("ZEROS_LIKE", [x], (1, 4), name=f"wave{number}")
    with pytest.raises(ConfigError, match=r"'wave4' is not supported; and 4 more"):
        write_onnx(m.build(x), precision="fp32", ranges=None, where="x")


def test_a_quantised_file_is_refused() -> None:
    m = Bench()
    x = m.input(1, 4, name="stored")
    content = m.build(m.node("RELU", [x], (1, 4)))
    m._tensors[0].type = m._schema.TensorType.INT8
    m._tensors[0].quantization = m._schema.QuantizationParametersT()
    m._tensors[0].quantization.scale = np.array([0.5], np.float32)
    assert content != m.build(1)
    with pytest.raises(ConfigError, match="is quantised already: stored is int8"):
        _translate(m.build(1))


def _computed_weight(m: Bench) -> int:
    x = m.input(1, 4, 4, 2)
    weight = m.input(3, 3, 3, 2)
    return m.node("CONV_2D", [x, weight], (1, 4, 4, 3), options="Conv2DOptions", strideH=1,
                  strideW=1, name="end")  # fmt: skip


def _computed_index(m: Bench) -> int:
    x = m.input(4, 2)
    index = m.node("CAST", [m.input(2)], (2,), dtype="int32", options="CastOptions")
    return m.node("GATHER", [x, index], (2, 2), options="GatherOptions", name="end")


def _both_corners(m: Bench) -> int:
    x = m.input(1, 4, 4, 2)
    return m.node("RESIZE_BILINEAR", [x, m.constant(np.array([8, 8], np.int32))], (1, 8, 8, 2),
                  options="ResizeBilinearOptions", alignCorners=True, halfPixelCenters=True,
                  name="end")  # fmt: skip


def _wide_mirror(m: Bench) -> int:
    x = m.input(1, 4, 4, 2)
    pads = m.constant(np.array([[0, 0], [2, 2], [2, 2], [0, 0]], np.int32))
    return m.node("MIRROR_PAD", [x, pads], (1, 8, 8, 2), options="MirrorPadOptions", mode=1,
                  name="end")  # fmt: skip


def _lone_spread(m: Bench) -> int:
    x = m.input(1, 4, 4, 2)
    block = m.constant(np.array([2, 2], np.int32))
    pads = m.constant(np.zeros((2, 2), np.int32))
    return m.node("SPACE_TO_BATCH_ND", [x, block, pads], (4, 2, 2, 2), name="end")


def _new_axis(m: Bench) -> int:
    x = m.input(4, 2)
    ends = [m.constant(np.array(n, np.int32)) for n in ([0, 0], [4, 2], [1, 1])]
    return m.node("STRIDED_SLICE", [x, *ends], (1, 4, 2), options="StridedSliceOptions",
                  newAxisMask=1, name="end")  # fmt: skip


def _wrong_shape(m: Bench) -> int:
    x = m.input(1, 4)
    return m.node("RESHAPE", [x, m.constant(np.array([3, -1], np.int32))], (3, 1), name="end")


def _no_stride(m: Bench) -> int:
    x = m.input(1, 4, 4, 2)
    return m.node("MAX_POOL_2D", [x], (1, 4, 4, 2), options="Pool2DOptions", filterHeight=2,
                  filterWidth=2, name="end")  # fmt: skip


def _far_axis(m: Bench) -> int:
    x = m.input(1, 4)
    return m.node("CONCATENATION", [x, x], (1, 8), options="ConcatenationOptions", axis=7,
                  name="end")  # fmt: skip


def _too_large(m: Bench) -> int:
    x = m.input(1, 1)
    wanted = m.constant(np.array([100_000, 100_000], np.int32))
    return m.node("BROADCAST_TO", [x, wanted], (100_000, 100_000), name="end")


def _too_large_constant(m: Bench) -> int:
    wanted = m.constant(np.array([100_000, 100_000], np.int32))
    one = m.constant(np.ones((1, 1), np.float32))
    return m.node("BROADCAST_TO", [one, wanted], (100_000, 100_000), name="end")


def _unlike_channels(m: Bench) -> int:
    x = m.input(1, 4, 4, 3)
    return m.conv(x, _real(4, 3, 3, 2), _real(4), name="end")


def _not_finite(m: Bench) -> int:
    x = m.input(1, 4, 4, 2)
    weight = _real(4, 3, 3, 2)
    weight[1, 1, 1, 1] = np.nan
    return m.conv(x, weight, _real(4), name="end")


def _no_inputs(m: Bench) -> int:
    m.input(1, 4)
    return m.node("ADD", [], (1, 4), options="AddOptions", name="end")


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (_computed_weight, "must be a constant"),
        (_computed_index, "indices must be constants"),
        (_both_corners, "at once"),
        (_wide_mirror, "more than one pixel"),
        (_lone_spread, "not supported but round a convolution"),
        (_new_axis, "new axis"),
        (_wrong_shape, "turns"),
        (_no_stride, "of 0"),
        (_far_axis, "axis 7"),
        (_too_large, "more than"),
        (_too_large_constant, "more than"),
        (_unlike_channels, "has 3 channels"),
        (_not_finite, "values that are not finite"),
        (_no_inputs, "has no input 0"),
    ],
)
def test_an_operator_that_cannot_be_written_says_why(network: Any, why: str) -> None:
    maker = Bench()
    content = maker.build(network(maker))
    with pytest.raises(ConfigError, match=r"'end'.*" + why) as caught:
        _translate(content)
    assert caught.value.code == "onnx.operator"


@pytest.mark.parametrize("content", [b"", b"junk", b"\x00\x00\x00\x00TFL3", b"TFL3" * 100])
def test_what_is_no_tflite_file_is_refused(content: bytes) -> None:
    with pytest.raises(DataError):
        write_onnx(content, precision="fp32", ranges=None, where="x")


def _victim() -> bytes:
    m = Bench()
    x = m.input(1, 6, 6, 3)
    a = m.conv(x, _real(4, 3, 3, 3), _real(4), act="RELU6")
    pads = m.constant(np.array([[0, 0], [0, 1], [0, 1], [0, 0]], np.int32))
    b = m.node("PAD", [a, pads], (1, 7, 7, 4))
    c = m.node("AVERAGE_POOL_2D", [b], (1, 3, 3, 4), options="Pool2DOptions", padding=1,
               filterHeight=3, filterWidth=3, strideH=2, strideW=2)  # fmt: skip
    d = m.node("RESHAPE", [c, m.constant(np.array([1, -1], np.int32))], (1, 36))
    return m.build(m.dense(d, _real(5, 36), _real(5)))


_VICTIM = _victim()


@given(st.data())
def test_a_damaged_file_is_written_or_refused(data: st.DataObject) -> None:
    content = bytearray(_VICTIM)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        _translate(bytes(content))
    except EdgeError as error:
        assert str(error)
