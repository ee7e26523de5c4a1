"""What a batch norm behind an activation does to each channel goes into the layer before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.anatomy.graph import read_graph
from benchmarks.metrics import sqnr_db
from export.program.affine import fold_affine
from tests.export.float_maker import Maker
from tests.export.runs import run

SIDE, CHANNELS = 8, 6
Array = NDArray[np.float32]
OPTIONS = {"MUL": "MulOptions", "ADD": "AddOptions", "SUB": "SubOptions", "DIV": "DivOptions"}


def _normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _samples(count: int = 3) -> list[tuple[Array]]:
    return [(_normal(1, SIDE, SIDE, 3, seed=seed),) for seed in range(count)]


def _conv(m: Maker, x: int, act: str = "NONE") -> int:
    return m.conv(x, _normal(CHANNELS, 3, 3, 3), _normal(CHANNELS, seed=1), act=act)


def _leaky(m: Maker, x: int) -> int:
    return m.node("LEAKY_RELU", [x], m.shape(x), options="LeakyReluOptions", alpha=0.3)


def _pool(m: Maker, x: int) -> int:
    _, height, width, channels = m.shape(x)
    return m.node("MAX_POOL_2D", [x], (1, height // 2, width // 2, channels), filterHeight=2,
                  options="Pool2DOptions", filterWidth=2, strideH=2, strideW=2)  # fmt: skip


def _each(m: Maker, x: int, op: str, values: Array, *, first: bool = False) -> int:
    pair = [m.constant(values), x] if first else [x, m.constant(values)]
    return m.node(op, pair, m.shape(x), options=OPTIONS[op])


def _norm(m: Maker, x: int, factors: Array) -> int:
    """A batch norm as litert-torch leaves it."""
    x = _each(m, x, "SUB", _normal(CHANNELS, seed=2))
    x = _each(m, x, "MUL", np.abs(_normal(1, 1, 1, CHANNELS, seed=3)) + 0.1)
    return _each(m, _each(m, x, "MUL", factors), "ADD", _normal(CHANNELS, seed=4))


def _ops(content: bytes) -> Counter[str]:
    return Counter(node.op for node in read_graph(content, where="net").nodes)


def _same(content: bytes, folded: bytes) -> None:
    assert sqnr_db(run(content, _samples()), run(folded, _samples())) > 95


POSITIVE = np.array([0.1, 0.5, 1, 2, 9, 3], np.float32)
MIXED = POSITIVE * np.array([1, -1, 1, 1, -1, 1], np.float32)
SOME_ZERO = POSITIVE * np.array([1, 0, 1, 1, 1, 1], np.float32)


@pytest.mark.parametrize(
    ("factors", "left"), [(POSITIVE, ["ADD"]), (MIXED, ["MUL", "ADD"]), (SOME_ZERO, ["MUL", "ADD"])]
)
@pytest.mark.parametrize("between", [[_leaky], [_leaky, _pool], []])
def test_a_batch_norm_behind_an_activation_leaves_one_sum(
    between: Sequence[Callable[[Maker, int], int]], factors: Array, left: list[str]
) -> None:
    m = Maker()
    x = _conv(m, m.input(1, SIDE, SIDE, 3))
    for make in between:
        x = make(m, x)
    content = m.build(m.conv(_norm(m, x, factors), _normal(2, 1, 1, CHANNELS), _normal(2)))
    folded = fold_affine(content, where="net")
    found = _ops(folded)
    assert [found[op] for op in ("MUL", "ADD", "SUB")] == [left.count("MUL"), 1, 0]
    _same(content, folded)
    assert fold_affine(folded, where="net") == folded
    assert fold_affine(content, where="net") == folded


def test_a_product_alone_vanishes_and_its_result_keeps_its_name() -> None:
    m = Maker()
    x = _leaky(m, _conv(m, m.input(1, SIDE, SIDE, 3)))
    content = m.build(_each(m, _each(m, x, "MUL", POSITIVE), "DIV", POSITIVE * 2))
    folded = fold_affine(content, where="net")
    assert _ops(folded)["MUL"] + _ops(folded)["DIV"] == 0
    _same(content, folded)
    names = [
        [graph.tensors[i].name for _, i in graph.outputs]
        for graph in (read_graph(c, where="net") for c in (content, folded))
    ]
    assert names[0] == names[1]


def test_weights_that_another_layer_reads_too_are_copied() -> None:
    m = Maker()
    source = m.input(1, SIDE, SIDE, 3)
    shared = [m.constant(_normal(CHANNELS, 3, 3, 3)), m.constant(_normal(CHANNELS, seed=1))]
    options = {"options": "Conv2DOptions", "strideH": 1, "strideW": 1}
    one, other = (
        m.node("CONV_2D", [source, *shared], (1, SIDE, SIDE, CHANNELS), **options) for _ in range(2)
    )
    content = m.build(m.concat(_norm(m, _leaky(m, one), POSITIVE), other))
    folded = fold_affine(content, where="net")
    assert _ops(folded)["MUL"] == 0
    _same(content, folded)


def _branch(m: Maker, x: int) -> int:
    """Somebody else reads the activation before the product."""
    x = _leaky(m, _conv(m, x))
    return m.concat(x, _each(m, x, "MUL", POSITIVE))


def _capped(m: Maker, x: int) -> int:
    return _each(m, _conv(m, x, "RELU6"), "MUL", POSITIVE)


def _across(m: Maker, x: int) -> int:
    """The constant has a value for each column, not for each channel."""
    columns = np.abs(_normal(1, 1, SIDE, 1)) + 1
    return m.node("MUL", [_leaky(m, _conv(m, x)), m.constant(columns)],
                  (1, SIDE, SIDE, CHANNELS), options="MulOptions")  # fmt: skip


def _turned(m: Maker, x: int) -> int:
    return _each(m, _leaky(m, _conv(m, x)), "SUB", POSITIVE, first=True)


def _alone(m: Maker, x: int) -> int:
    return _each(m, _leaky(m, _conv(m, x)), "ADD", POSITIVE)


@pytest.mark.parametrize("make", [_branch, _capped, _across, _turned, _alone])
def test_what_cannot_be_folded_stays_byte_for_byte(make: Callable[[Maker, int], int]) -> None:
    m = Maker()
    content = m.build(make(m, m.input(1, SIDE, SIDE, 3)))
    assert fold_affine(content, where="net") == content


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(OPTIONS)), st.integers(0, 99), st.booleans()), max_size=6
    ),
    st.sampled_from(["NONE", "RELU", "RELU6"]),
)
@settings(max_examples=40)
def test_any_chain_computes_the_same_with_two_operators_at_most(
    chain: list[tuple[str, int, bool]], act: str
) -> None:
    m = Maker()
    x = _conv(m, m.input(1, SIDE, SIDE, 3), act)
    for op, seed, single in chain:
        values = _normal(1 if single else CHANNELS, seed=seed)
        x = _each(m, x, op, np.sign(values) * (np.abs(values) + np.float32(0.2)))
    content = m.build(m.conv(_leaky(m, x), _normal(2, 1, 1, CHANNELS), _normal(2)))
    folded = fold_affine(content, where="net")
    assert sum(_ops(folded)[op] for op in OPTIONS) <= 2
    _same(content, folded)
