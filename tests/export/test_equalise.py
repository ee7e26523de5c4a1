"""Channels of one range: the float network stays what it is, and INT8 comes nearer to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.anatomy.graph import read_graph
from benchmarks.metrics import sqnr_db
from export.calibration.ranges import Sample, observe
from export.quantisation.equalise import equalise
from tests.export.float_maker import Maker
from tests.export.runs import run

Array = NDArray[np.float32]
CHANNELS = 16


def _normal(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _network(act: str, *, spread: float, pad: bool = False) -> bytes:
    """Return conv, depthwise, conv; ``spread`` unbalances the channels between them."""
    rng = np.random.default_rng(7)
    louder = spread ** rng.uniform(-1, 1, (2, CHANNELS)).astype(np.float32)
    if act == "RELU6":
        louder /= louder.max(axis=1, keepdims=True)
    m = Maker()
    x = m.input(1, 8, 8, 3, name="x")
    w = _normal(CHANNELS, 3, 3, 3, seed=0) * 0.3 * louder[0].reshape(-1, 1, 1, 1)
    y = m.conv(x, w, _normal(CHANNELS, seed=1) * 0.3 * louder[0], act=act, name="conv")
    if pad:
        edges = m.constant(np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
        y = m.node("PAD", [y, edges], (1, 10, 10, CHANNELS))
    w = _normal(1, 3, 3, CHANNELS, seed=2) * 0.4 / louder[0] * louder[1]
    y = m.depthwise(y, w, _normal(CHANNELS, seed=3) * 0.3 * louder[1], act=act, name="depthwise")
    w = _normal(8, 1, 1, CHANNELS, seed=4) * 0.3 / louder[1]
    return m.build(m.conv(y, w, _normal(8, seed=5), name="head"))


def _samples(count: int = 40, seed: int = 0) -> list[Sample]:
    rng = np.random.default_rng(seed)
    return [(rng.uniform(-1, 1, (1, 8, 8, 3)).astype(np.float32),) for _ in range(count)]


def _int8_db(content: bytes) -> float:
    pytest.importorskip(
        "ai_edge_quantizer", reason="needs ai-edge-quantizer: pip install -e .[export]"
    )
    from export.quantisation.quantise import quantise

    held_back = _samples(seed=1)
    made = quantise(content, observe(content, _samples(), where="net"))
    return sqnr_db(run(content, held_back), run(made, held_back))


@pytest.mark.parametrize("act", ["NONE", "RELU", "RELU6"])
@pytest.mark.parametrize("pad", [False, True])
def test_the_float_network_computes_the_very_same(act: str, pad: bool) -> None:
    content = _network(act, spread=20, pad=pad)
    made, layers = equalise(content, _samples(), where="net")
    assert layers == ["conv", "depthwise", "head"]
    np.testing.assert_array_equal(run(made, _samples(seed=1)), run(content, _samples(seed=1)))
    assert equalise(content, _samples(), where="net")[0] == made


@pytest.mark.parametrize("act", ["NONE", "RELU", "RELU6"])
def test_int8_comes_nearer_where_channels_were_unbalanced(act: str) -> None:
    content = _network(act, spread=20)
    made, _ = equalise(content, _samples(), where="net")
    before, after = _int8_db(content), _int8_db(made)
    assert before < 20
    assert after > before + 8


def test_channels_get_one_range() -> None:
    content = _network("RELU", spread=6)
    made, _ = equalise(content, _samples(), where="net")

    def spread(content: bytes) -> float:
        tops = _channel_tops(content, "conv")
        return float(tops.max() / tops.min())

    assert spread(content) > 10
    assert spread(made) < 2.01


def _channel_tops(content: bytes, name: str) -> Any:
    from export.program.runner import Runner

    graph = read_graph(content, where="net")
    tensor = next(t for t in graph.tensors if t.name == name)
    runner = Runner(content, graph, "net")
    tops = []
    for number, sample in enumerate(_samples()):
        runner.run(sample, number)
        tops.append(np.abs(runner.read(tensor)).max(axis=(0, 1, 2)))
    return np.max(tops, axis=0)


def test_relu6_channels_that_touch_the_ceiling_stay() -> None:
    content = _network("RELU6", spread=20)
    before = _channel_tops(content, "conv")
    assert before.max() < 6
    m = Maker()
    x = m.input(1, 8, 8, 3)
    weight = _normal(CHANNELS, 3, 3, 3, seed=0) * 0.1
    weight[:4] *= 100
    y = m.conv(x, weight, np.zeros(CHANNELS, np.float32), act="RELU6", name="conv")
    content = m.build(
        m.depthwise(y, _normal(1, 3, 3, CHANNELS, seed=1), np.zeros(CHANNELS, np.float32))
    )
    made, layers = equalise(content, _samples(), where="net")
    assert layers
    before, after = _channel_tops(content, "conv"), _channel_tops(made, "conv")
    np.testing.assert_array_equal(after[:4], before[:4])
    assert after.max() <= 6
    assert after[4:].min() > before[4:].min()
    np.testing.assert_array_equal(run(made, _samples(seed=1)), run(content, _samples(seed=1)))


def _two_readers(m: Maker, y: int, weight: Array) -> int:
    return m.add(
        m.conv(y, weight, np.zeros(4, np.float32)), m.conv(y, weight, np.zeros(4, np.float32))
    )


def _through_tanh(m: Maker, y: int, weight: Array) -> int:
    return m.conv(m.node("TANH", [y], m.shape(y)), weight, np.zeros(4, np.float32))


def _through_a_sum(m: Maker, y: int, weight: Array) -> int:
    return m.conv(m.add(y, y), weight, np.zeros(4, np.float32))


@pytest.mark.parametrize("rest", [_two_readers, _through_tanh, _through_a_sum])
def test_layers_that_do_not_follow_one_another_are_left_alone(rest: Any) -> None:
    m = Maker()
    x = m.input(1, 8, 8, 3)
    weight = _normal(4, 3, 3, 3, seed=0) * np.array([1, 10, 100, 1000], np.float32).reshape(
        4, 1, 1, 1
    )
    y = m.conv(x, weight, np.zeros(4, np.float32))
    content = m.build(rest(m, y, _normal(4, 1, 1, 4, seed=1)))
    made, layers = equalise(content, _samples(4), where="net")
    assert (made, layers) == (content, [])


def test_dead_channels_and_dead_layers_are_left_alone() -> None:
    m = Maker()
    x = m.input(1, 8, 8, 3)
    y = m.conv(x, np.zeros((4, 1, 1, 3), np.float32), np.zeros(4, np.float32), act="RELU")
    content = m.build(m.conv(y, _normal(4, 1, 1, 4, seed=1), np.zeros(4, np.float32)))
    assert equalise(content, _samples(4), where="net") == (content, [])
