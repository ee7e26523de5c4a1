"""Reading two pixels as one gives the same integers, where it is done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.anatomy.delegate import delegation
from benchmarks.anatomy.graph import read_graph
from export.quantisation.pairs import read_pairs
from tests.export.runs import run
from tests.export.tflite_maker import Maker, Ref, make

SAME, VALID = 0, 1
#: Some sums lie beyond.
RANGES = {"before": (-1.0, 1.0), "first": (-3.0, 6.0)}


@dataclass(frozen=True)
class First:
    """A first layer: picture ``[1, *sides, channels]``, kernel ``[out, *kernel, channels]``."""

    sides: tuple[int, int] = (8, 8)
    channels: int = 3
    kernel: tuple[int, int] = (3, 3)
    strides: tuple[int, int] = (2, 2)
    padding: int = SAME
    dilation: int = 1
    out: int = 5
    act: str = "RELU6"

    @property
    def result(self) -> tuple[int, int]:
        """Sides of what it gives."""
        sides = zip(self.sides, self.kernel, self.strides, strict=True)
        if self.padding == SAME:
            return tuple(-(-side // stride) for side, _, stride in sides)  # type: ignore[return-value]
        return tuple((side - k) // stride + 1 for side, k, stride in sides)  # type: ignore[return-value]

    def __call__(self, maker: Maker) -> None:
        x = maker.input("picture", (1, *self.sides, self.channels))
        maker.output(self.layer(maker, x))

    def layer(self, maker: Maker, x: Ref) -> Ref:
        """Add it."""
        rng = np.random.default_rng(1)
        weights = rng.normal(0, 0.4, (self.out, *self.kernel, self.channels))
        y = maker.conv("first", x, weights, rng.normal(0, 0.2, self.out), act=self.act)
        options = maker.graph.operators[-1].builtinOptions
        options.strideH, options.strideW = self.strides
        options.padding, options.dilationWFactor = self.padding, self.dilation
        shape = (1, *self.result, self.out)
        maker.graph.tensors[y.index].shape = np.array(shape, np.int32)
        return Ref(y.index, shape, y.scale, y.zero_point)


def _int8(layer: First) -> bytes:
    return make(layer, RANGES)


def _pictures(layer: First) -> list[tuple[NDArray[np.float32]]]:
    rng = np.random.default_rng(3)
    shape = (1, *layer.sides, layer.channels)
    return [((rng.integers(-128, 128, shape) / np.float32(128)).astype(np.float32),)
            for _ in range(2)]  # fmt: skip


def _ops(content: bytes) -> list[str]:
    return [node.op for node in read_graph(content, where="net").nodes]


@settings(max_examples=80, deadline=None)
@given(
    st.builds(
        First,
        sides=st.tuples(st.integers(1, 9), st.integers(1, 10)),
        channels=st.integers(1, 5),
        kernel=st.tuples(st.integers(1, 4), st.integers(2, 4)),
        strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
        padding=st.sampled_from([SAME, VALID]),
        act=st.sampled_from(["NONE", "RELU", "RELU6"]),
    )
)
def test_any_first_layer_gives_the_same_integers(layer: First) -> None:
    assume(min(layer.result) >= 1)
    content = _int8(layer)
    paired = read_pairs(content, where="net")
    fits = (
        (layer.kernel[1], layer.strides[1]) == (3, 2)
        and layer.sides[1] % 2 == 0
        and layer.channels <= 4
    )
    assert _ops(paired) == (["RESHAPE", "CONV_2D"] if fits else ["CONV_2D"])
    assert fits or paired == content
    for plain in (False, True):
        before, after = (run(c, _pictures(layer), plain=plain) for c in (content, paired))
        assert np.array_equal(before, after)


@pytest.mark.parametrize("sides", [(320, 320), (112, 112), (64, 96)])
def test_real_sizes_stay_in_one_piece_of_the_delegate(sides: tuple[int, int]) -> None:
    layer = First(sides=sides, out=16)
    content = _int8(layer)
    paired = read_pairs(content, where="net")
    assert np.array_equal(run(content, _pictures(layer)), run(paired, _pictures(layer)))
    found = delegation(paired, where="net")
    assert (found.pieces, found.outside) == (1, ())


def test_names_and_scales_stay_and_a_second_time_changes_nothing() -> None:
    content = _int8(First())
    paired = read_pairs(content, where="net")
    before, after = (read_graph(c, where="net") for c in (content, paired))
    assert {t.name for t in before.tensors} <= {t.name for t in after.tensors}
    assert (before.inputs, before.outputs) == (after.inputs, after.outputs)
    weight, wide = (graph.tensors[graph.nodes[-1].inputs[1]] for graph in (before, after))
    assert weight.quantisation is not None and wide.quantisation is not None
    assert np.array_equal(weight.quantisation.scale, wide.quantisation.scale)
    assert wide.shape == (5, 3, 2, 6)
    assert read_pairs(paired, where="net") == paired
    assert read_pairs(content, where="net") == paired


def test_a_layer_that_is_not_the_first_stays() -> None:
    layer = First()

    def second(maker: Maker) -> None:
        x = maker.input("picture", (1, *layer.sides, layer.channels))
        x = maker.conv("before", x, np.eye(3).reshape(3, 1, 1, 3), np.zeros(3))
        maker.output(layer.layer(maker, x))

    content = make(second, RANGES)
    assert read_pairs(content, where="net") == content


def test_weights_that_another_layer_reads_too_stay() -> None:
    layer = First()

    def twice(maker: Maker) -> None:
        x = maker.input("picture", (1, *layer.sides, layer.channels))
        one = layer.layer(maker, x)
        constants = [Ref(int(i), ()) for i in maker.graph.operators[-1].inputs[1:]]
        other = maker._flowing("other", one.shape, (one.scale, one.zero_point))
        maker.raw("CONV_2D", [x, *constants], [other], maker.graph.operators[-1].builtinOptions)
        maker.output(one, other)

    content = make(twice, RANGES)
    assert read_pairs(content, where="net") == content


def test_a_float_network_and_a_dilated_layer_stay() -> None:
    content = make(First())
    assert read_pairs(content, where="net") == content
    content = _int8(First(dilation=2))
    assert read_pairs(content, where="net") == content
