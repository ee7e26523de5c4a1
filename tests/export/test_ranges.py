"""The range of every tensor: what is remembered of its values, and what is chosen from that."""

from __future__ import annotations

import json
import math
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge.contract import TensorSpec
from edge.errors import DataError, UsageError
from export.calibration.observers import CHOICES, Histogram, entropy, mse, percentile
from export.calibration.ranges import Ranges, Sample, byte_spans, observe
from export.cards.card import METHODS
from tests.export.float_maker import Maker

FLOATS = arrays(
    np.float32,
    st.integers(1, 60),
    elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
    | st.floats(-1, 1, width=32, allow_subnormal=False),
)


def _seen(*parts: NDArray[np.float32]) -> Histogram:
    seen = Histogram()
    for part in parts:
        assert seen.add(part.astype(np.float32))
    return seen


@settings(max_examples=40)
@given(st.lists(FLOATS, min_size=1, max_size=5), st.randoms())
def test_the_order_of_the_values_does_not_matter(parts: list[Any], random: Any) -> None:
    seen = _seen(*parts)
    random.shuffle(parts)
    other = _seen(np.concatenate(parts))
    np.testing.assert_array_equal(seen.counts, other.counts)
    assert (seen.width, seen.span()) == (other.width, other.span())


@settings(max_examples=40)
@given(st.lists(FLOATS, min_size=1, max_size=5))
def test_every_value_is_counted_in_its_bin(parts: list[Any]) -> None:
    seen, values = _seen(*parts), np.concatenate(parts).astype(np.float64)
    assert seen.counts.sum() == len(values)
    assert math.log2(seen.width) == int(math.log2(seen.width))
    edges = (np.arange(8193) - 4096) * seen.width
    wanted, _ = np.histogram(values, edges)
    # NumPy puts what lies on the last edge into the last bin, and so does the histogram.
    np.testing.assert_array_equal(seen.counts, wanted)


@settings(max_examples=40)
@given(FLOATS)
def test_every_choice_lies_within_the_true_ends(values: Any) -> None:
    seen = _seen(values)
    for choose in CHOICES.values():
        least, greatest = choose(seen)
        assert float(values.min()) <= least <= greatest <= float(values.max())


def test_a_percentile_cuts_off_what_is_rare() -> None:
    bulk = np.linspace(-1, 1, 200_000, dtype=np.float32)
    seen = _seen(bulk, np.array([1000.0], np.float32))
    assert seen.span() == (-1.0, 1000.0)
    least, greatest = percentile(seen, share=99.99)
    assert -1.0 <= least < -0.7
    assert 0.9 < greatest < 2.0
    assert percentile(seen, share=100) == (-1.0, 1000.0)


def test_entropy_cuts_off_a_far_outlier_and_keeps_an_even_spread() -> None:
    rng = np.random.default_rng(0)
    seen = _seen(rng.normal(size=100_000).astype(np.float32), np.array([40.0], np.float32))
    least, greatest = entropy(seen)
    assert least < -2.5
    assert 2.5 < greatest < 15
    even = _seen(rng.uniform(0, 1, 100_000).astype(np.float32))
    assert entropy(even)[1] > 0.98
    few = _seen(np.array([-1.0, 0.1, 9.0], np.float32))
    assert entropy(few) == few.span()


def _error(values: NDArray[np.float32], span: tuple[float, float]) -> float:
    least, greatest = min(span[0], 0.0), max(span[1], 0.0)
    scale = max(greatest - least, 1e-12) / 255
    zero = round(-128 - least / scale)
    stored = np.clip(np.rint(values / scale) + zero, -128, 127)
    return float((((stored - zero) * scale - values) ** 2).sum())


def test_mse_has_less_error_than_the_true_ends() -> None:
    values = np.random.default_rng(0).standard_t(3, 100_000).astype(np.float32)
    seen = _seen(values)
    assert _error(values, mse(seen)) < 0.85 * _error(values, seen.span())


def test_the_card_knows_every_method() -> None:
    assert set(METHODS) == {"minmax", *CHOICES}


def _network() -> bytes:
    """Return ``relu(3 * x) + x`` of two numbers, as a sum."""
    m = Maker()
    x = m.input(1, 2, name="x")
    y = m.dense(x, np.eye(2, dtype=np.float32) * 3, np.zeros(2, np.float32), act="RELU", name="y")
    return m.build(m.add(x, y, name="z"))


def _samples(*rows: tuple[float, float]) -> list[Sample]:
    return [(np.array([row], np.float32),) for row in rows]


def test_true_ends_over_all_samples() -> None:
    ranges = observe(_network(), _samples((1, -2), (0.5, 4)), where="net")
    assert dict(ranges) == {"x": (-2.0, 4.0), "y": (0.0, 12.0), "z": (-2.0, 16.0)}
    assert (ranges.method, ranges.count) == ("minmax", 2)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_within_the_true_ends(method: str) -> None:
    rng = np.random.default_rng(0)
    rows = [(rng.normal(size=(1, 2)).astype(np.float32),) for _ in range(200)]
    true, chosen = observe(_network(), rows, where="n"), observe(
        _network(), rows, method=method, where="n"
    )  # fmt: skip
    assert chosen.method == method
    for name, (least, greatest) in chosen.items():
        assert true[name][0] <= least < greatest <= true[name][1]


def test_samples_are_read_once_and_let_go() -> None:
    alive: list[Any] = []

    def stream() -> Iterator[Sample]:
        for value in range(20):
            assert sum(ref() is not None for ref in alive) <= 1
            array = np.full((1, 2), value, np.float32)
            alive.append(weakref.ref(array))
            yield (array,)

    assert observe(_network(), stream(), method="mse", where="net").count == 20


def test_the_digest_is_that_of_the_samples_in_their_order() -> None:
    one, two = _samples((1, 2), (3, 4)), _samples((3, 4), (1, 2))
    digests = {observe(_network(), s, where="n").digest for s in (one, one, two)}
    assert len(digests) == 2


def test_a_known_span_stands_whatever_the_samples_show() -> None:
    specs = [TensorSpec("x", "image", (1, 2), "float32", mean=127.5, std=127.5)]
    ranges = observe(_network(), _samples((0, 0.1)), spans=byte_spans(specs), where="net")
    assert ranges["x"] == (-1.0, 1.0)
    ours = TensorSpec("x", "image", (1, 2), "float32")
    assert byte_spans([ours, TensorSpec("y", "", (1,), "float32")]) == ((-1.0, 127 / 128), None)


def test_a_value_that_is_not_finite_is_named_with_its_tensor() -> None:
    with pytest.raises(DataError, match="tensor x is not finite on sample 1"):
        observe(_network(), _samples((1, 2), (math.nan, 0)), where="net")
    with pytest.raises(DataError, match="tensor y is not finite on sample 0"):
        observe(_network(), _samples((3e38, 0)), method="entropy", where="net")


def test_infinity_is_a_border_only_where_a_pad_put_it() -> None:
    m = Maker()
    x = m.input(1, 2, name="x")
    edges = m.constant(np.array([[0, 0], [1, 0]], np.int32))
    border = m.constant(np.array([-np.inf], np.float32))
    y = m.node("PADV2", [x, edges, border], (1, 3), name="y")
    content = m.build(y)
    for method in METHODS:
        seen = observe(content, _samples((1, 2)), method=method, where="net")
        assert 1 <= seen["y"][0] <= seen["y"][1] <= 2
    content = m.build(m.node("NEG", [y], (1, 3), name="z"))
    with pytest.raises(DataError, match="tensor z is not finite"):
        observe(content, _samples((1, 2)), where="net")


def test_weights_that_are_stored_smaller_are_read_from_the_file() -> None:
    """The delegate never writes their float values down: the tensor shows what memory held."""
    m = Maker()
    x = m.input(1, 2, name="x")
    half = m.constant(np.array([[0.5, -2.0], [1.5, 0.25]], np.float16))
    weight = m.node("DEQUANTIZE", [half], (2, 2), name="w")
    y = m.node("FULLY_CONNECTED", [x, weight], (1, 2), options="FullyConnectedOptions", name="y")
    seen = observe(m.build(y), _samples((1, 2)), where="net")
    assert seen["w"] == (-2.0, 1.5)


def test_what_cannot_be_calibrated_is_refused() -> None:
    with pytest.raises(DataError, match="net: no samples"):
        observe(_network(), [], where="net")
    with pytest.raises(DataError, match=r"sample 0 is float32 \[2\] and the network takes"):
        observe(_network(), [(np.zeros(2, np.float32),)], where="net")
    with pytest.raises(DataError, match=r"sample 0 is float64 \[1, 2\]"):
        observe(_network(), [(np.zeros((1, 2)),)], where="net")  # type: ignore[list-item]
    with pytest.raises(UsageError, match="'average'"):
        observe(_network(), _samples((1, 2)), method="average", where="net")
    with pytest.raises(DataError, match="is no TFLite file"):
        observe(b"nothing", _samples((1, 2)), where="net")


def test_a_network_that_no_runtime_runs_is_refused() -> None:
    m = Maker()
    x = m.input(1, 2)
    content = m.build(m.node("MEAN", [x], (1,)))  # without its axes
    with pytest.raises(DataError, match="does not run"):
        observe(content, _samples((1, 2)), where="net")


def test_a_calibration_survives_json() -> None:
    ranges = observe(_network(), _samples((0.1, 1 / 3)), where="net")
    text = json.dumps(ranges.to_json())
    again = Ranges.from_json(json.loads(text), where="f")
    assert dict(again) == dict(ranges)
    assert json.dumps(again.to_json()) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=200)
@given(JSON, st.sampled_from(("schema", "method", "count", "digest", "ranges", "x")))
def test_a_hostile_calibration_is_refused(value: Any, key: str) -> None:
    good = {"schema": 1, "method": "mse", "count": 1, "digest": "", "ranges": {"x": [0, 1]}}
    bad = {**good, "ranges": {"x": value}} if key == "x" else {**good, key: value}
    for raw in (bad, value):
        try:
            ranges = Ranges.from_json(raw, where="f")
        except DataError:
            continue
        assert all(math.isfinite(a) and a <= b for a, b in ranges.values())
