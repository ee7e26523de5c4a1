"""Weights that the quantiser cannot take as they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.anatomy.graph import Graph, Tensor, read_graph
from benchmarks.metrics import sqnr_db
from edge.errors import DataError
from export.calibration.ranges import Sample, observe
from tests.export.float_maker import Maker
from tests.export.runs import run

pytest.importorskip("ai_edge_quantizer", reason="needs ai-edge-quantizer: pip install -e .[export]")

from export.quantisation.large import LARGEST
from export.quantisation.quantise import quantise, to_dynamic

SIDE = 6


def _normal(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    # No two channels are equally loud.
    loud = rng.uniform(0.1, 1, (shape[0],) + (1,) * (len(shape) - 1))
    return (rng.normal(size=shape) * loud).astype(np.float32)


def _network(*, dense: bool = True) -> bytes:
    """Return every kind of layer that has weights, one after the other."""
    m = Maker()
    x = m.input(1, SIDE, SIDE, 3)
    y = m.conv(x, _normal(8, 3, 3, 3), _normal(8, seed=1), act="RELU", name="conv")
    y = m.depthwise(y, _normal(1, 3, 3, 8, seed=2), _normal(8, seed=3), name="depthwise")
    shape = m.constant(np.array([1, 2 * SIDE, 2 * SIDE, 4], np.int32))
    weight, bias = m.constant(_normal(4, 3, 3, 8, seed=4)), m.constant(_normal(4, seed=5))
    y = m.node("TRANSPOSE_CONV", [shape, weight, y, bias], (1, 2 * SIDE, 2 * SIDE, 4), name="up",
               options="TransposeConvOptions", strideH=2, strideW=2)  # fmt: skip
    if dense:
        size = m.constant(np.array([1, 4 * SIDE * SIDE * 4], np.int32))
        y = m.node("RESHAPE", [y, size], (1, 4 * SIDE * SIDE * 4), options="ReshapeOptions")
        y = m.dense(y, _normal(5, 4 * SIDE * SIDE * 4, seed=6), _normal(5, seed=7), name="dense")
    return m.build(y)


def _samples(count: int = 8, seed: int = 9, channels: int = 3) -> list[Sample]:
    rng = np.random.default_rng(seed)
    shape = (1, SIDE, SIDE, channels)
    return [(rng.uniform(-1, 1, shape).astype(np.float32),) for _ in range(count)]


def _static(content: bytes, keep_float: frozenset[str] = frozenset()) -> bytes:
    return quantise(content, observe(content, _samples(), where="net"), keep_float=keep_float)


def _constants(content: bytes) -> dict[str, Tensor]:
    graph: Graph = read_graph(content, where="q")
    return {tensor.name: tensor for tensor in graph.tensors if tensor.data is not None}


@pytest.mark.parametrize(
    "make",
    [
        _static,
        lambda content: _static(content, frozenset({"conv"})),
        lambda content: _static(content, frozenset({"depthwise"})),
        to_dynamic,
    ],
    ids=["full int8", "first layer in float", "middle layer in float", "dynamic range"],
)
def test_weights_kept_aside_get_the_integers_of_the_quantiser(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[bytes], bytes]
) -> None:
    content = _network()
    wanted = make(content)
    monkeypatch.setattr("export.quantisation.large.LARGEST", 0)
    given = make(content)
    ours, theirs = _constants(given), _constants(wanted)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert ours[name].shape == tensor.shape
        assert ours[name].dtype == tensor.dtype
        np.testing.assert_array_equal(ours[name].data, tensor.data)
        if tensor.quantisation is not None:
            np.testing.assert_array_equal(ours[name].quantisation.scale, tensor.quantisation.scale)
    assert np.array_equal(run(given, _samples(3, seed=1)), run(wanted, _samples(3, seed=1)))
    assert make(content) == given


def test_a_network_of_small_weights_goes_through_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("nothing is kept aside here")

    monkeypatch.setattr("export.quantisation.large.unpack", forbidden)
    assert to_dynamic(_network()) == to_dynamic(_network())


def test_a_convolution_above_the_quantisers_limit_is_quantised() -> None:
    """A real one: without help ai-edge-quantizer 0.10 refuses the network."""
    m = Maker()
    weight = np.tile(_normal(32, 3, 3, 32), (1, 1, 1, 31))
    assert weight.nbytes < LARGEST
    weight = np.tile(_normal(1024, 3, 3, 32), (1, 1, 1, 32))
    assert weight.nbytes > LARGEST
    x = m.input(1, SIDE, SIDE, 1024)
    content = m.build(m.conv(x, weight, _normal(1024, seed=1), name="conv"))
    samples = _samples(2, channels=1024)
    made = quantise(content, observe(content, samples, where="net"))
    node = read_graph(made, where="q").nodes[0]
    assert read_graph(made, where="q").tensors[node.inputs[1]].shape == weight.shape
    assert sqnr_db(run(content, samples), run(made, samples)) > 30
    assert sqnr_db(run(content, samples), run(to_dynamic(content), samples)) > 25


def test_what_the_quantiser_refuses_is_still_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.quantisation.large.LARGEST", 0)
    ranges = observe(_network(), _samples(), where="net")
    with pytest.raises(DataError, match="no range for tensor"):
        quantise(_network(), ranges.replaced({}).__class__({}, "minmax", 1, ""))
