"""Biases that take back what rounded weights add in the mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.anatomy.flatbuffer import pack, set_constant, unpack
from benchmarks.anatomy.graph import read_graph
from benchmarks.metrics import sqnr_db
from edge.errors import DataError
from export.calibration.ranges import Sample, observe
from export.quantisation.scales import CHANNEL_AXIS, operands
from tests.export.float_maker import Maker
from tests.export.runs import run

pytest.importorskip("ai_edge_quantizer", reason="needs ai-edge-quantizer: pip install -e .[export]")

from export.quantisation.correct import correct_bias
from export.quantisation.quantise import quantise

Array = NDArray[np.float32]
Layer = Callable[[Maker, int], int]


def _normal(*shape: int, seed: int = 0, scale: float = 0.3) -> Array:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def _samples(count: int = 30, seed: int = 0, channels: int = 4) -> list[Sample]:
    """Return positive inputs, brighter on one side: their mean is what counts."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(0.2, 1, 9, dtype=np.float32).reshape(1, 9, 1, 1)
    x = rng.uniform(0, 1, (count, 1, 9, 9, channels)).astype(np.float32)
    return [(picture * slope,) for picture in x]


def _conv(*weight: int, shape: tuple[int, ...], op: str = "CONV_2D", **fields: Any) -> Layer:
    options = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}[op]
    outputs = weight[CHANNEL_AXIS[op]]
    fields = {"strideH": 1, "strideW": 1, **fields}

    def make(m: Maker, x: int) -> int:
        inputs = [x, m.constant(_normal(*weight)), m.constant(_normal(outputs, seed=1))]
        return m.node(op, inputs, shape, options=options, name="layer", **fields)

    return make


def _dense(m: Maker, x: int) -> int:
    flat = m.node("RESHAPE", [x, m.constant(np.array([1, 324], np.int32))], (1, 324))
    return m.dense(flat, _normal(5, 324), _normal(5, seed=1), name="layer")


def _transposed(m: Maker, x: int) -> int:
    size = m.constant(np.array([1, 18, 18, 5], np.int32))
    inputs = [size, m.constant(_normal(5, 2, 2, 4)), x, m.constant(_normal(5, seed=1))]
    return m.node("TRANSPOSE_CONV", inputs, (1, 18, 18, 5), options="TransposeConvOptions",
                  padding=1, strideH=2, strideW=2, name="layer")  # fmt: skip


LAYERS: dict[str, Layer] = {
    "same": _conv(6, 3, 3, 4, shape=(1, 9, 9, 6)),
    "valid": _conv(6, 3, 3, 4, shape=(1, 7, 7, 6), padding=1),
    "stride": _conv(6, 3, 3, 4, shape=(1, 5, 5, 6), strideH=2, strideW=2),
    "even kernel": _conv(6, 2, 4, 4, shape=(1, 5, 9, 6), strideH=2),
    "dilation": _conv(6, 3, 3, 4, shape=(1, 9, 9, 6), dilationHFactor=2, dilationWFactor=3),
    "groups": _conv(6, 3, 3, 2, shape=(1, 9, 9, 6)),
    "depthwise": _conv(
        1, 3, 3, 4, shape=(1, 9, 9, 4), op="DEPTHWISE_CONV_2D", depthMultiplier=1
    ),
    "multiplier": _conv(
        1, 3, 3, 8, shape=(1, 9, 9, 8), op="DEPTHWISE_CONV_2D", depthMultiplier=2
    ),
    "dense": _dense,
    "transposed": _transposed,
}  # fmt: skip


def _with_rounded_weights(content: bytes, rounded: bytes) -> bytes:
    """Return the float network with the real values of the INT8 file's weights."""
    graph, other = read_graph(content, where="f"), read_graph(rounded, where="q")
    model = unpack(content, where="f")
    nodes = {other.tensors[n.outputs[0]].name: n for n in other.nodes}
    for node in graph.nodes:
        twin = nodes[graph.tensors[node.outputs[0]].name]
        if node.op in CHANNEL_AXIS:
            set_constant(model, operands(node)[1], other.tensors[operands(twin)[1]].real)
    return pack(model)


@pytest.mark.parametrize("kind", LAYERS)
def test_the_mean_of_every_channel_is_that_of_real_weights(kind: str) -> None:
    m = Maker()
    content = m.build(LAYERS[kind](m, m.input(1, 9, 9, 4)))
    samples = _samples()
    ranges = observe(content, samples, where="net")
    made, changed = correct_bias(content, ranges, samples, where="net")
    assert changed == ["layer"]
    rounded = quantise(content, ranges)

    def means(content: bytes) -> Any:
        out = run(content, samples, plain=True).astype(np.float64)
        return out.reshape(-1, out.shape[-1]).mean(axis=0)

    wanted = means(content)
    before = np.abs(means(_with_rounded_weights(content, rounded)) - wanted).max()
    after = np.abs(means(_with_rounded_weights(made, rounded)) - wanted).max()
    assert before > 1e-4
    assert after < 0.02 * before


def _thin(*, seed: int) -> bytes:
    """Return four depthwise layers on positive inputs: errors of few weights do not even out."""
    m = Maker()
    y = m.input(1, 9, 9, 8)
    for number in range(4):
        weight = np.abs(_normal(1, 3, 3, 8, seed=seed + number)) + 0.02
        weight[0, 1, 1] += 3  # one loud tap makes the steps of the others coarse
        y = m.depthwise(
            y, weight / 4, _normal(8, seed=9, scale=0.05), act="RELU", name=f"dw{number}"
        )
    return m.build(y)


def test_int8_comes_nearer() -> None:
    gains = []
    for seed in range(6):
        content, samples, held_back = (
            _thin(seed=10 * seed), _samples(channels=8), _samples(seed=1, channels=8)
        )  # fmt: skip
        ranges = observe(content, samples, where="net")
        made, changed = correct_bias(content, ranges, samples, where="net")
        assert changed == ["dw0", "dw1", "dw2", "dw3"]
        wanted = run(content, held_back)
        before, after = (
            sqnr_db(wanted, run(quantise(c, ranges), held_back)) for c in (content, made)
        )
        gains.append(after - before)
    assert np.mean(gains) > 1


def test_equal_input_gives_equal_bytes_and_float_layers_are_left_alone() -> None:
    content, samples = _thin(seed=0), _samples(channels=8)
    ranges = observe(content, samples, where="net")
    keep = frozenset({"dw1", "dw3"})
    made, changed = correct_bias(content, ranges, samples, keep_float=keep, where="net")
    assert changed == ["dw0", "dw2"]
    assert correct_bias(content, ranges, samples, keep_float=keep, where="net")[0] == made


def test_without_samples_nothing_is_corrected() -> None:
    content = _thin(seed=0)
    ranges = observe(content, _samples(channels=8), where="net")
    with pytest.raises(DataError, match="net: no samples to correct biases with"):
        correct_bias(content, ranges, [], where="net")
