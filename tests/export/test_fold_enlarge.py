"""Convolving before enlarging gives the same numbers, in every format and precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.anatomy.costs import costs
from benchmarks.anatomy.delegate import delegation
from benchmarks.anatomy.graph import read_graph
from benchmarks.metrics import sqnr_db
from export.calibration.ranges import observe
from export.program.fold_enlarge import fold_enlarge
from tests.export.float_maker import Maker
from tests.export.runs import run

SIDE, CHANNELS = 8, 6
Array = NDArray[np.float32]


def _normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _samples(*shape: int, count: int = 3) -> list[tuple[Array]]:
    rng = np.random.default_rng(7)
    return [(rng.uniform(-1, 1, shape).astype(np.float32),) for _ in range(count)]


def _enlarge(m: Maker, x: int, factor: int = 2, *, half: bool = True, corners: bool = False) -> int:
    _, height, width, channels = m.shape(x)
    size = (factor * height, factor * width)
    return m.node("RESIZE_NEAREST_NEIGHBOR", [x, m.constant(np.array(size, np.int32))],
                  (1, *size, channels), options="ResizeNearestNeighborOptions",
                  halfPixelCenters=half, alignCorners=corners)  # fmt: skip


def _conv(m: Maker, x: int, out: int, *, side: int = 3, act: str = "NONE", **how: int) -> int:
    weight = _normal(out, side, side, m.shape(x)[3])
    return m.conv(x, weight, _normal(out, seed=1), act=act, **how)


def _head(m: Maker, x: int) -> int:
    """What the end of a U-Net looks like: a convolution, twice the sides, one channel."""
    return _conv(m, _enlarge(m, _conv(m, x, CHANNELS, act="RELU6")), 1)


def _file(make: Callable[[Maker, int], int]) -> bytes:
    m = Maker()
    return m.build(make(m, m.input(1, SIDE, SIDE, 3)))


def _ops(content: bytes) -> list[str]:
    return [node.op for node in read_graph(content, where="net").nodes]


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5)),
    st.integers(1, 4),
    st.sampled_from(["NONE", "RELU", "RELU6"]),
    st.booleans(),
    st.integers(0, 99),
)
def test_no_number_changes(
    sizes: tuple[int, int, int], out: int, act: str, half: bool, seed: int
) -> None:
    m = Maker()
    large = _enlarge(m, m.input(1, *sizes), half=half)
    weight, bias = _normal(out, 3, 3, sizes[2], seed=seed), _normal(out, seed=seed + 1)
    content = m.build(m.conv(large, weight, bias, act=act, name="result"))
    folded = fold_enlarge(content, where="net")
    assert _ops(folded) == ["CONV_2D", "DEPTH_TO_SPACE"]
    wanted = run(content, _samples(1, *sizes))
    found = run(folded, _samples(1, *sizes))
    assert np.abs(wanted - found).max() <= 1e-5 * max(np.abs(wanted).max(), 1)
    graph = read_graph(folded, where="net")
    assert [graph.tensors[i].name for _, i in graph.outputs] == ["result"]
    assert graph.tensors[graph.nodes[0].outputs[0]].shape == (1, *sizes[:2], 4 * out)
    assert fold_enlarge(folded, where="net") == folded
    assert fold_enlarge(content, where="net") == folded


def test_the_products_are_as_many_and_a_quarter_of_the_pixels_is_computed() -> None:
    before = read_graph(_file(_head), where="net")
    after = read_graph(fold_enlarge(_file(_head), where="net"), where="net")
    assert sum(c.macs for c in costs(after)) == sum(c.macs for c in costs(before))
    assert after.tensors[after.nodes[1].outputs[0]].shape == (1, SIDE, SIDE, 4)


@pytest.mark.parametrize("both", [False, True])
def test_weights_that_another_layer_reads_too_are_copied(both: bool) -> None:
    m = Maker()
    x = m.input(1, SIDE, SIDE, 3)
    shared = [m.constant(_normal(2, 3, 3, 3)), m.constant(_normal(2, seed=1))]

    def conv(source: int) -> int:
        return m.node("CONV_2D", [source, *shared], (*m.shape(source)[:3], 2),
                      options="Conv2DOptions", strideH=1, strideW=1)  # fmt: skip

    one, other = conv(_enlarge(m, x)), conv(_enlarge(m, x)) if both else _enlarge(m, conv(x))
    content = m.build(m.concat(one, other))
    folded = fold_enlarge(content, where="net")
    assert _ops(folded).count("DEPTH_TO_SPACE") == 1 + both
    names = [tensor.name for tensor in read_graph(folded, where="net").tensors]
    assert len(set(names)) == len(names)
    samples = _samples(1, SIDE, SIDE, 3)
    assert sqnr_db(run(content, samples), run(folded, samples)) > 95


def test_two_in_a_row_both_fold() -> None:
    content = _file(lambda m, x: _conv(m, _enlarge(m, _conv(m, _enlarge(m, x), 4, act="RELU")), 3))
    folded = fold_enlarge(content, where="net")
    assert _ops(folded) == ["CONV_2D", "DEPTH_TO_SPACE"] * 2
    samples = _samples(1, SIDE, SIDE, 3)
    assert sqnr_db(run(content, samples), run(folded, samples)) > 95


def _read_twice(m: Maker, x: int) -> int:
    large = _enlarge(m, x)
    return m.concat(large, _conv(m, large, 1))


def _grouped(m: Maker, x: int) -> int:
    return m.conv(_enlarge(m, x), _normal(3, 3, 3, 1), _normal(3))


def _computed_weight(m: Maker, x: int) -> int:
    weight = m.constant(_normal(1, 3, 3, 3))
    twice = m.node("ADD", [weight, weight], (1, 3, 3, 3), options="AddOptions")
    large = _enlarge(m, x)
    return m.node("CONV_2D", [large, twice, m.constant(_normal(1))], (1, 16, 16, 1),
                  options="Conv2DOptions", strideH=1, strideW=1)  # fmt: skip


def _unpadded(m: Maker, x: int) -> int:
    large = _enlarge(m, x)
    constants = [m.constant(_normal(1, 3, 3, 3)), m.constant(_normal(1))]
    return m.node("CONV_2D", [large, *constants], (1, 14, 14, 1), options="Conv2DOptions",
                  strideH=1, strideW=1, padding=1)  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda m, x: _conv(m, x, 1), id="nothing is enlarged"),
        pytest.param(lambda m, x: _conv(m, _enlarge(m, x, 3), 1), id="three times"),
        pytest.param(
            lambda m, x: _conv(m, _enlarge(m, x, half=False, corners=True), 1),
            id="aligned corners",
        ),
        pytest.param(lambda m, x: _conv(m, _enlarge(m, x), 5), id="five channels"),
        pytest.param(lambda m, x: _conv(m, _enlarge(m, x), 1, side=5), id="5x5"),
        pytest.param(lambda m, x: _conv(m, _enlarge(m, x), 1, side=1), id="1x1"),
        pytest.param(lambda m, x: _conv(m, _enlarge(m, x), 1, stride=2), id="stride 2"),
        pytest.param(
            lambda m, x: _conv(m, _enlarge(m, x), 1, dilationWFactor=2, dilationHFactor=2),
            id="dilated",
        ),
        pytest.param(lambda m, x: _enlarge(m, x), id="the end"),
        pytest.param(_read_twice, id="read twice"),
        pytest.param(_grouped, id="grouped"),
        pytest.param(_computed_weight, id="weights that are computed"),
        pytest.param(_unpadded, id="not padded"),
    ],
)
def test_every_other_network_stays_byte_for_byte(make: Callable[[Maker, int], int]) -> None:
    content = _file(make)
    assert fold_enlarge(content, where="net") == content


def test_an_enlarged_picture_that_is_an_output_too_stays() -> None:
    m = Maker()
    large = _enlarge(m, m.input(1, SIDE, SIDE, 3))
    content = m.build(_conv(m, large, 1), large)
    assert fold_enlarge(content, where="net") == content


def test_the_int8_file_is_whole_and_as_near_as_before() -> None:
    pytest.importorskip(
        "ai_edge_quantizer", reason="needs ai-edge-quantizer: pip install -e .[export]"
    )
    from export.quantisation.quantise import quantise

    content = _file(lambda m, x: m.node("LOGISTIC", [y := _head(m, x)], m.shape(y)))
    folded = fold_enlarge(content, where="net")
    samples = _samples(1, SIDE, SIDE, 3, count=16)
    found = {}
    for name, network in {"before": content, "after": folded}.items():
        made = quantise(network, observe(network, samples, where=name), where=name)
        found[name] = sqnr_db(run(content, samples), run(made, samples))
    graph = read_graph(made, where="q")
    assert [node.op for node in graph.nodes][-3:] == ["CONV_2D", "DEPTH_TO_SPACE", "LOGISTIC"]
    assert {graph.tensors[o].dtype for node in graph.nodes for o in node.outputs} == {"int8"}
    assert not delegation(made, where="q").outside
    assert delegation(made, where="q").pieces == 1
    assert found["after"] > max(30, found["before"] - 2)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("goes_on", [False, True])
def test_the_onnx_file_has_it_too(precision: str, goes_on: bool) -> None:
    """Where a convolution goes on behind it, the blocks are laid out in INT8."""
    for library in ("onnx", "onnxruntime"):
        pytest.importorskip(library, reason=f"needs {library}: pip install -e .[test]")
    from export.onnx_writer import write_onnx
    from export.toolchains.rules import check_rules
    from tests.export.onnx_writer_kit import counts, error_db, run_onnx

    content = _file(lambda m, x: _conv(m, _head(m, x), 5) if goes_on else _head(m, x))
    folded = fold_enlarge(content, where="net")
    samples = _samples(1, SIDE, SIDE, 3, count=8)
    ranges = observe(folded, samples, where="net")
    written = write_onnx(folded, precision=precision, ranges=ranges, where="net")
    found = counts(written)
    assert (found["DepthToSpace"], found["Resize"]) == (1, 0)
    least = {"fp32": 95, "fp16": 50, "int8": 28}[precision]
    rows = np.stack([run_onnx(written, sample)[0] for sample in samples])
    assert error_db(run(content, samples), rows) > least
    if precision == "int8":
        assert not check_rules(written)
        assert found["QuantizeLinear"] == (4 if goes_on else 2)
