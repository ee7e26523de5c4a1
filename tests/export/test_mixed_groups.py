"""Layers that stay in float together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.mixed import candidates_of, expanded, groups_of
from tests.export.float_maker import Maker

SIDE, CHANNELS = 4, 4


def _normal(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _conv(m: Maker, x: int, name: str) -> int:
    return m.conv(x, _normal(CHANNELS, 1, 1, CHANNELS), _normal(CHANNELS), name=name)


def _leaky(m: Maker, x: int, name: str) -> int:
    return m.node("LEAKY_RELU", [x], m.shape(x), options="LeakyReluOptions", alpha=0.3, name=name)


def test_what_alone_reads_a_layer_goes_with_it() -> None:
    m = Maker()
    x = _leaky(m, _conv(m, m.input(1, SIDE, SIDE, CHANNELS), "a"), "a/act")
    x = m.add(x, m.constant(_normal(CHANNELS)), name="a/shift")
    y = _conv(m, x, "b")
    z = _leaky(m, y, "c")  # the sum reads its source too
    content = m.build(m.add(y, z, name="sum"))
    groups = groups_of(content, where="net")
    assert groups == {
        "a": {"a", "a/act", "a/shift"},
        "b": {"b"},
        "c": {"c"},
        "sum": {"sum"},
    }
    assert set().union(*groups.values()) >= set(candidates_of(content, where="net"))
    assert expanded(groups, ["a", "sum"]) == {"a", "a/act", "a/shift", "sum"}
    assert expanded(groups, []) == frozenset()


def test_what_joins_layers_leads_a_group_and_truths_are_in_none() -> None:
    m = Maker()
    a, b = (_conv(m, m.input(1, SIDE, SIDE, CHANNELS), name) for name in "ab")
    joined = m.concat(a, b)
    shape = (1, SIDE, SIDE, 2 * CHANNELS)
    more = m.node("GREATER", [joined, m.constant(np.zeros(1, np.float32))], shape, dtype="bool")
    content = m.build(more)
    assert groups_of(content, where="net") == {
        "a": {"a"},
        "b": {"b"},
        "CONCATENATION_2": {"CONCATENATION_2"},
    }


def test_what_reads_an_input_leads_a_group_of_its_own() -> None:
    m = Maker()
    content = m.build(_leaky(m, m.input(1, SIDE, SIDE, CHANNELS), "act"))
    assert groups_of(content, where="net") == {"act": {"act"}}
