"""Enlarging by copies gives the same numbers, in one piece of the delegate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.anatomy.delegate import delegation
from benchmarks.anatomy.graph import read_graph
from benchmarks.anatomy.tracer import interpreter
from export.quantisation.nearest import enlarge_by_copies
from tests.export.tflite_maker import Maker, Ref, make, ranges_of

Sizes = tuple[int, int, int]


def _enlarged(sizes: Sizes, factor: int) -> bytes:
    height, width, channels = sizes
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(channels, 1, 1, channels)).astype(np.float32)

    def network(maker: Maker) -> None:
        x = maker.input("x", (1, height, width, channels))
        x = maker.conv("before", x, weights, np.zeros(channels, np.float32))
        x = maker.resize("large", x, factor)
        maker.output(maker.conv("after", x, weights, np.zeros(channels, np.float32)))

    samples = [(rng.uniform(-1, 1, (1, height, width, channels)).astype(np.float32),)]
    return make(network, ranges_of(make(network), samples))


def _run(content: bytes, values: NDArray[np.int8]) -> NDArray[np.int8]:
    network = interpreter(content, where="test")
    network.set_tensor(network.get_input_details()[0]["index"], values)
    network.invoke()
    out: NDArray[np.int8] = network.get_tensor(network.get_output_details()[0]["index"])
    return out


@settings(max_examples=25)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)),
    st.integers(2, 3),
    st.integers(0, 99),
)
def test_no_number_changes(sizes: Sizes, factor: int, seed: int) -> None:
    content = _enlarged(sizes, factor)
    values = np.random.default_rng(seed).integers(-128, 128, (1, *sizes), np.int8)
    assert np.array_equal(
        _run(content, values), _run(enlarge_by_copies(content, where="x"), values)
    )


def test_the_delegate_takes_it_whole() -> None:
    content = _enlarged((8, 8, 4), 2)
    assert delegation(content, where="before").outside
    copied = enlarge_by_copies(content, where="after")
    assert not delegation(copied, where="after").outside
    assert delegation(copied, where="after").pieces == 1


def test_every_tensor_keeps_its_name_and_a_second_time_changes_nothing() -> None:
    content = _enlarged((4, 4, 2), 2)
    copied = enlarge_by_copies(content, where="x")
    before = {t.name for t in read_graph(content, where="x").tensors}
    assert before <= {t.name for t in read_graph(copied, where="x").tensors}
    assert enlarge_by_copies(copied, where="x") == copied
    assert enlarge_by_copies(content, where="x") == copied


@pytest.mark.parametrize("size", [(6, 6), (4, 5)])
def test_what_repeats_nothing_stays(size: tuple[int, int]) -> None:
    """Other sizes take pixels in a pattern of their own."""

    def network(maker: Maker) -> None:
        x = maker.input("x", (1, 4, 4, 2))
        x = maker.resize("large", x, 2)
        maker.graph.tensors[x.index].shape = np.array([1, *size, 2], np.int32)
        sizes = maker.graph.operators[-1].inputs[1]
        maker.model.buffers[maker.graph.tensors[sizes].buffer].data = np.frombuffer(
            np.array(size, np.int32).tobytes(), np.uint8
        )
        maker.output(Ref(x.index, (1, *size, 2), x.scale, x.zero_point))

    content = make(network, {"x": (-1.0, 1.0), "large": (-1.0, 1.0)})
    assert enlarge_by_copies(content, where="x") == content
