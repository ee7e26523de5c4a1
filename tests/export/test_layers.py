"""Every layer of an artefact: how near, how dear, who computes it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.anatomy.costs import arena_bytes, costs
from benchmarks.anatomy.delegate import delegation
from benchmarks.anatomy.graph import read_graph
from benchmarks.anatomy.times import measure_times, measure_whole, quartile
from benchmarks.anatomy.tracer import interpreter
from benchmarks.metrics import cosine, sqnr_db
from edge.errors import DataError
from export.inspection.activations import bad_activations
from export.inspection.layers import costliest, layers
from export.inspection.nearness import aligned
from export.inspection.probe import open_probe
from tests.export.tflite_maker import (
    Maker,
    Network,
    alter,
    make,
    ranges_of,
    samples_of,
    small,
    tensor,
)

SHAPE = (1, 16, 16, 3)
SAMPLES = samples_of(SHAPE, 6, seed=5)
FLOAT = make(small)
RANGES = ranges_of(FLOAT, samples_of(SHAPE, 24))
INT8 = make(small, RANGES)


def _both(network: Network, shape: tuple[int, ...]) -> tuple[bytes, bytes]:
    exact = make(network)
    return exact, make(network, ranges_of(exact, samples_of(shape, 16)))


def _spread_out(m: Maker) -> None:
    """A network that XNNPACK takes in three pieces: it leaves the int8 resize."""
    rng = np.random.default_rng(4)
    x = m.input("x", (1, 8, 8, 3))
    a = m.conv("a", x, rng.normal(0, 0.4, (8, 3, 3, 3)), np.zeros(8), act="RELU")
    b = m.conv("b", m.resize("twice", a, 2), rng.normal(0, 0.2, (8, 3, 3, 8)), np.zeros(8))
    m.output(m.conv("c", m.resize("again", b, 2), rng.normal(0, 0.2, (2, 1, 1, 8)), np.zeros(2)))


# Values


@pytest.mark.parametrize("content", [FLOAT, INT8], ids=["float", "int8"])
def test_looking_changes_nothing(content: bytes) -> None:
    """What is seen is what the untouched file computes, bit for bit."""
    probe = open_probe(content, where="a")
    machine = interpreter(content, where="a")
    (put,), (got,) = machine.get_input_details(), machine.get_output_details()
    for sample in SAMPLES:
        seen = probe.run(sample)
        real = sample[0]
        if put["dtype"] == np.int8:
            real = probe.grids["x"].codes(real).astype(np.int8)
        machine.set_tensor(put["index"], real)
        machine.invoke()
        stored = machine.get_tensor(got["index"])
        wanted = probe.grids["probs"].real(stored) if stored.dtype == np.int8 else stored
        assert np.array_equal(seen["probs"], wanted)


def test_nearness_is_that_of_the_metrics() -> None:
    found = {layer.name: layer for layer in layers(FLOAT, INT8, SAMPLES, where="a", seconds=0)}
    assert list(found) == ["stem", "wide", "line", "total", "pooled", "logits", "probs"]
    exact, other = open_probe(FLOAT, where="a"), open_probe(INT8, where="a")
    wanted = np.stack([exact.run(s)["line"] for s in SAMPLES])
    seen = np.stack([other.run(s)["line"] for s in SAMPLES])
    near = found["line"].near
    assert near is not None
    assert near.sqnr_db == pytest.approx(sqnr_db(wanted, seen), abs=1e-6)
    assert near.cosine == pytest.approx(cosine(wanted, seen), abs=1e-9)
    assert near.max_abs == pytest.approx(float(np.abs(wanted - seen).max()))
    assert 25 < near.sqnr_db < 60


def test_a_file_is_equal_to_itself() -> None:
    for layer in layers(FLOAT, FLOAT, SAMPLES, where="a", seconds=0):
        assert layer.near is not None
        assert (layer.near.sqnr_db, layer.near.max_abs) == (99.0, 0.0)
        assert layer.precision == "float32" and not layer.island


def test_the_layer_that_spoils_most_is_named() -> None:
    def change(model: object) -> None:
        steps = tensor(model, "line").quantization
        steps.scale = np.asarray(steps.scale, np.float32) * np.float32(20)

    found = layers(FLOAT, alter(INT8, change), SAMPLES, where="a", seconds=0)
    assert costliest(found, 1)[0].name == "line"
    assert costliest(layers(FLOAT, FLOAT, SAMPLES, where="a", seconds=0), 3) == []


def test_layers_left_in_float_are_islands() -> None:
    kept = frozenset({"line"})
    mixed = make(small, RANGES, keep_float=kept)
    found = layers(FLOAT, mixed, SAMPLES, where="a", seconds=0, keep_float=kept)
    islands = [layer for layer in found if layer.island]
    assert [(layer.name, layer.precision) for layer in islands] == [("line", "float32")]
    # What the float network does not have cannot be compared.
    unknown = [layer.op for layer in found if layer.near is None]
    assert unknown == ["DEQUANTIZE", "QUANTIZE"]


def test_values_that_differ_by_rounding_alone_are_told() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", (1, 8, 8, 3))
        y = m.conv("y", x, np.full((1, 1, 1, 3), 0.3), np.full(1, -9.0))
        m.output(m.unary("LOGISTIC", "faint", y))

    exact, whole = _both(network, (1, 8, 8, 3))
    last = layers(exact, whole, samples_of((1, 8, 8, 3), 4), where="a", seconds=0)[-1]
    assert last.near is not None and last.near.sqnr_db < 1
    assert last.only_rounds
    assert costliest([last], 1) == []


def test_without_a_float_network_the_rest_is_told() -> None:
    found = layers(None, INT8, [], where="a", seconds=0)
    assert [layer.op for layer in found][:2] == ["CONV_2D", "DEPTHWISE_CONV_2D"]
    assert all(layer.near is None and layer.cost is not None for layer in found)


def test_layers_are_json() -> None:
    found = layers(FLOAT, INT8, SAMPLES, where="a", seconds=0.2)
    table = json.loads(json.dumps([layer.to_json() for layer in found], allow_nan=False))
    assert table[0]["near"]["sqnr_db"] > 20
    assert table[0]["time"]["low_ms"] <= table[0]["time"]["ms"] <= table[0]["time"]["high_ms"]


def test_no_samples_are_refused() -> None:
    with pytest.raises(DataError, match="no samples to compare on"):
        layers(FLOAT, INT8, [], where="a", seconds=0)


def test_tensors_too_large_to_look_at_are_refused_before_they_are_made() -> None:
    def network(m: Maker) -> None:
        m.output(m.unary("LOGISTIC", "y", m.input("x", (1, 40_000, 40_000, 3))))

    with pytest.raises(DataError, match="its tensors take 36 GiB side by side"):
        open_probe(make(network), where="a")


@pytest.mark.parametrize("content", [b"", INT8[:300], b"no network at all"])
def test_files_that_are_none_are_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^a: "):
        layers(FLOAT, content, SAMPLES, where="a", seconds=0)


@given(st.permutations([2, 3, 5]))
def test_a_tensor_is_brought_to_its_partners_axes(sizes: list[int]) -> None:
    values = np.arange(30, dtype=np.float32).reshape(1, *sizes)
    assert np.array_equal(aligned(values, values), values)  # type: ignore[arg-type]
    turned = aligned(values, values.transpose(0, 3, 1, 2))
    assert turned is not None and np.array_equal(turned, values)
    assert aligned(values, values[..., :1]) is None


def test_where_sizes_do_not_tell_the_nearer_order_is_taken() -> None:
    values = np.random.default_rng(0).normal(size=(1, 4, 4, 4)).astype(np.float32)
    turned = aligned(values, values.transpose(0, 3, 1, 2))
    assert turned is not None and np.array_equal(turned, values)


# The delegate


def test_pieces_and_what_was_left_outside() -> None:
    _, whole = _both(_spread_out, (1, 8, 8, 3))
    found = delegation(whole, where="a")
    assert found.pieces == 3
    assert [node.op for node in found.outside] == ["RESIZE_NEAREST_NEIGHBOR"] * 2
    assert sorted(found.piece_of) == [0, 2, 4]
    assert len(set(found.piece_of.values())) == 3
    seen = layers(None, whole, [], where="a", seconds=0)
    assert [layer.delegated for layer in seen] == [True, False, True, False, True]


def test_one_piece_takes_all() -> None:
    found = delegation(FLOAT, where="a")
    assert found.pieces == 1 and found.outside == ()
    assert sorted(found.piece_of) == list(range(7))


# Time


def test_times_add_up_to_the_whole() -> None:
    exact, _ = _both(_spread_out, (1, 8, 8, 3))
    spans = measure_times(exact, samples_of((1, 8, 8, 3), 1)[0], seconds=1, where="a")
    whole = measure_whole(exact, samples_of((1, 8, 8, 3), 1)[0], seconds=0.2, where="a")
    assert len(spans) == 5
    # The machine that runs the tests has other work; half to double tells a sum from a guess.
    assert whole.ms / 2 < math.fsum(span.ms for span in spans) < whole.ms * 2
    assert all(span.low_ms <= span.ms <= span.high_ms for span in spans)


def test_a_layer_with_more_to_do_takes_longer() -> None:
    def network(m: Maker) -> None:
        rng = np.random.default_rng(0)
        x = m.input("x", (1, 32, 32, 16))
        a = m.conv("cheap", x, rng.normal(size=(16, 1, 1, 16)), np.zeros(16))
        m.output(m.conv("dear", a, rng.normal(size=(64, 5, 5, 16)), np.zeros(64)))

    sample = samples_of((1, 32, 32, 16), 1)[0]
    cheap, dear = measure_times(make(network), sample, seconds=0.5, where="a")
    assert dear.ms > 10 * cheap.ms


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=60))
def test_a_quartile_lies_in_its_interval(values: list[float]) -> None:
    span = quartile(values)
    assert min(values) <= span.low_ms <= span.ms <= span.high_ms <= max(values)


# Costs


def test_costs_are_those_of_the_shapes() -> None:
    found = {c.parameters: c for c in costs(read_graph(INT8, where="a"))}
    stem = found[8 * 3 * 3 * 3 + 8]
    # 8 x 8 places, 8 channels, 27 products each.
    assert stem.macs == 8 * 8 * 8 * 27
    assert stem.weight_bytes == 8 * 27 + 8 * 4
    assert stem.activation_bytes == 8 * 8 * 8
    wide = found[3 * 3 * 8 + 8]
    assert wide.macs == 8 * 8 * 8 * 9
    logits = found[4 * 8 + 4]
    assert logits.macs == 32
    assert sum(c.macs for c in costs(read_graph(FLOAT, where="a"))) == sum(
        c.macs for c in found.values()
    )


def test_memory_is_what_lives_at_one_moment() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", (1, 4, 4, 64))
        rng = np.random.default_rng(0)
        a = m.conv("a", x, rng.normal(size=(32, 1, 1, 64)), np.zeros(32))
        b = m.conv("b", a, rng.normal(size=(32, 1, 1, 32)), np.zeros(32))
        m.output(m.add("c", a, b))

    graph = read_graph(make(network), where="a")
    place = 4 * 4 * 4
    # x and a; a and b; a, b and c.
    assert [c.live_bytes for c in costs(graph)] == [96 * place, 64 * place, 96 * place]
    assert arena_bytes(graph) == 96 * place


def test_a_transposed_convolution_spreads_every_value() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", (1, 4, 4, 6))
        size = m.whole([1, 8, 8, 5])
        weights = m.constant("w", np.ones((5, 3, 3, 6), np.float32))
        y = m._flowing("y", (1, 8, 8, 5), None)
        m.raw("TRANSPOSE_CONV", [size, weights, x], [y])
        m.output(y)

    (found,) = costs(read_graph(make(network), where="a"))
    assert found.macs == 4 * 4 * 6 * 5 * 3 * 3


# Activations


@pytest.mark.parametrize("op", ["HARD_SWISH", "LEAKY_RELU", "PRELU"])
def test_a_bad_activation_is_reported_with_its_cost(op: str) -> None:
    def network(m: Maker) -> None:
        rng = np.random.default_rng(0)
        x = m.input("x", (1, 8, 8, 3))
        a = m.conv("a", x, rng.normal(0, 0.5, (8, 3, 3, 3)), rng.normal(0, 0.1, 8))
        b = m.prelu("b", a, np.full(8, 0.2)) if op == "PRELU" else m.unary(op, "b", a)
        m.output(m.conv("c", b, rng.normal(0, 0.5, (4, 1, 1, 8)), np.zeros(4)))

    exact, whole = _both(network, (1, 8, 8, 3))
    seen = layers(exact, whole, samples_of((1, 8, 8, 3), 4), where="a", seconds=0.3)
    (found,) = bad_activations(read_graph(whole, where="a"), seen)
    assert (found.name, found.operators) == ("b", 1)
    assert found.kind == {"HARD_SWISH": "hard-swish", "LEAKY_RELU": "leaky ReLU"}.get(op, "PReLU")
    assert found.ms is not None and found.lost_db is not None
    before, behind = seen[0].near, seen[1].near
    assert before is not None and behind is not None
    assert found.lost_db == pytest.approx(before.sqnr_db - behind.sqnr_db)
    # XNNPACK has an int8 kernel for one of them.
    assert found.outside == (op != "LEAKY_RELU")


def test_a_gate_of_two_operators_is_one_activation() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", (1, 8, 8, 3))
        a = m.conv("a", x, np.ones((4, 1, 1, 3)), np.zeros(4))
        m.output(m.mul("b", a, m.unary("LOGISTIC", "gate", a)))

    exact, whole = _both(network, (1, 8, 8, 3))
    seen = layers(exact, whole, samples_of((1, 8, 8, 3), 4), where="a", seconds=0)
    (found,) = bad_activations(read_graph(whole, where="a"), seen)
    assert (found.kind, found.name, found.operators, found.ms) == ("SiLU", "b", 2, None)


def test_a_prelu_that_was_taken_apart_is_one_activation() -> None:
    """litert-torch writes relu(x) - slope * -x below zero, as three operators."""

    def network(m: Maker) -> None:
        x = m.input("x", (1, 8, 8, 4))
        a = m.conv("a", x, np.ones((4, 1, 1, 4)), np.zeros(4))
        slope = m.constant("slope", np.full((1, 8, 8, 4), -0.2, np.float32))
        below = m.mul("below", a, slope)
        y = m._flowing("y", a.shape, None)
        m.raw("SUB", [m.unary("RELU", "above", a), below], [y], schema.SubOptionsT())
        m.output(y)

    content = make(network)
    seen = layers(None, content, [], where="a", seconds=0)
    (found,) = bad_activations(read_graph(content, where="a"), seen)
    assert (found.kind, found.name, found.operators) == ("PReLU", "y", 3)


def test_a_hard_swish_that_was_taken_apart_is_one_activation() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", (1, 8, 8, 4))
        a = m.conv("a", x, np.ones((4, 1, 1, 4)), np.zeros(4))
        three = m.constant("three", np.full((1, 8, 8, 4), 3, np.float32))
        gate = m.unary("RELU6", "gate", m.add("sum", a, three))
        m.output(m.mul("y", a, gate))

    content = make(network)
    seen = layers(None, content, [], where="a", seconds=0)
    (found,) = bad_activations(read_graph(content, where="a"), seen)
    assert (found.kind, found.name, found.operators) == ("hard-swish", "y", 3)


def test_relu_and_a_gate_of_something_else_are_none() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", (1, 8, 8, 4))
        a = m.conv("a", x, np.ones((4, 1, 1, 4)), np.zeros(4), act="RELU6")
        # Attention: the gate is made of another tensor.
        m.output(m.mul("b", a, m.unary("LOGISTIC", "gate", x)))

    content = make(network)
    seen = layers(None, content, [], where="a", seconds=0)
    assert bad_activations(read_graph(content, where="a"), seen) == []
