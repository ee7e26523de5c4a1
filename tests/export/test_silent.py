"""Each silent failure is made for real in a file, and named with its layer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.anatomy.tracer import interpreter
from edge.errors import DataError
from export.inspection.silent import KINDS, Finding, silent
from tests.export.tflite_maker import (
    Maker,
    Network,
    Sample,
    alter,
    make,
    parallel,
    ranges_of,
    samples_of,
    small,
    tensor,
)

SHAPE = (1, 16, 16, 3)
SAMPLES = samples_of(SHAPE, 8, seed=5)


def _quantised(network: Network, shape: tuple[int, ...] = SHAPE) -> tuple[bytes, bytes]:
    exact = make(network)
    return exact, make(network, ranges_of(exact, samples_of(shape, 24)))


FLOAT, INT8 = _quantised(small)


def _stored(model: Any, name: str, dtype: str) -> np.ndarray[Any, Any]:
    data = model.buffers[tensor(model, name).buffer].data
    return np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype).copy()


def _store(model: Any, name: str, values: np.ndarray[Any, Any]) -> None:
    model.buffers[tensor(model, name).buffer].data = np.frombuffer(values.tobytes(), np.uint8)


def _scaled(name: str, factor: float) -> Callable[[Any], None]:
    """Change the scale of an activation and nothing else."""

    def change(model: Any) -> None:
        steps = tensor(model, name).quantization
        steps.scale = np.asarray(steps.scale, np.float32) * np.float32(factor)

    return change


def _look(change: Callable[[Any], None], samples: list[Sample] = SAMPLES) -> list[Finding]:
    return silent(FLOAT, alter(INT8, change), samples, where="a.tflite")


def _named(found: list[Finding]) -> set[tuple[str, str]]:
    return {(finding.kind, finding.layer) for finding in found}


@pytest.mark.parametrize("network", [small, parallel])
def test_a_healthy_network_has_none(network: Network) -> None:
    shape = SHAPE if network is small else (1, 8, 8, 3)
    exact, whole = _quantised(network, shape)
    samples = samples_of(shape, 8, seed=9)
    assert silent(exact, whole, samples) == []
    assert silent(exact, exact, samples) == []


def test_layers_left_in_float_are_no_failure() -> None:
    ranges = ranges_of(FLOAT, samples_of(SHAPE, 24))
    mixed = make(small, ranges, keep_float=frozenset({"line", "total", "logits"}))
    assert silent(FLOAT, mixed, SAMPLES) == []


def test_a_saturated_bias() -> None:
    def change(model: Any) -> None:
        bias = _stored(model, "line/bias", "int32")
        bias[3] = 2**31 - 1
        _store(model, "line/bias", bias)

    found = _look(change)
    assert ("bias", "line") in _named(found)
    said = next(str(f) for f in found if f.kind == "bias")
    assert said.startswith("CONV_2D line: the bias is saturated in 1 of 8 channels: channel 3 ")


def test_activations_that_vanished_saturate_the_bias_behind_them() -> None:
    """The quantiser itself does this: scales so small that a bias does not fit into int32."""

    def network(m: Maker) -> None:
        x = m.input("x", SHAPE)
        rng = np.random.default_rng(3)
        a = m.conv("faint", x, rng.normal(0, 1e-9, (4, 1, 1, 3)), np.zeros(4), act="RELU")
        b = m.conv("loud", a, rng.normal(0, 0.1, (4, 1, 1, 4)), rng.normal(1, 0.1, 4))
        m.output(b)

    exact, whole = _quantised(network)
    found = silent(exact, whole, SAMPLES)
    assert ("bias", "loud") in _named(found)
    assert "in float it is" in next(f.what for f in found if f.kind == "bias")


def test_a_dead_layer_is_named_and_what_it_silences() -> None:
    def change(model: Any) -> None:
        _store(model, "logits/weights", np.zeros(32, np.int8))

    found = _look(change)
    assert _named(found) == {("weights", "logits"), ("constant", "logits")}
    said = next(f.what for f in found if f.kind == "constant")
    assert said.endswith("; so probs says nothing")


def test_only_the_first_dead_layer_is_named() -> None:
    def change(model: Any) -> None:
        # All below zero: the ReLU6 lets nothing through. The sum behind still has the stem.
        bias = _stored(model, "wide/bias", "int32")
        _store(model, "wide/bias", np.full_like(bias, -(2**24)))

    assert ("constant", "wide") in _named(_look(change))
    assert not {"line", "total", "probs"} & {f.layer for f in _look(change) if f.kind == "constant"}


def test_a_network_that_is_dead_in_float() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", SHAPE)
        m.output(m.conv("y", x, np.zeros((2, 1, 1, 3)), np.ones(2)))

    exact = make(network)
    found = silent(exact, exact, SAMPLES)
    assert [str(f) for f in found] == [
        "CONV_2D y: is the same for every sample in the float network already"
    ]


def test_an_output_that_depends_on_no_input_may_stand_still() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", SHAPE)
        anchors = m.constant("anchors", np.linspace(0, 1, 4, dtype=np.float32).reshape(1, 4))
        pooled = m.mean("y", x)
        m.output(pooled, m.unary("LOGISTIC", "fixed", anchors))

    exact = make(network)
    assert silent(exact, exact, SAMPLES) == []


def test_a_step_too_coarse_for_the_layer() -> None:
    # An ADD takes any scale of what it reads; a convolution would refuse its bias.
    found = _look(_scaled("line", 100))
    assert ("collapsed", "line") in _named(found)


def test_a_range_too_narrow_for_the_layer() -> None:
    found = _look(_scaled("line", 0.1))
    assert ("clipped", "line") in _named(found)
    assert "beyond its range" in next(f.what for f in found if f.kind == "clipped")


def test_quiet_probabilities_are_no_collapsed_range() -> None:
    """The kernel prescribes their scale; where a face is rare they hardly move."""

    def network(m: Maker) -> None:
        x = m.input("x", SHAPE)
        y = m.conv("y", x, np.full((1, 1, 1, 3), 0.3), np.full(1, -7.0))
        m.output(m.reshape("flat", m.unary("LOGISTIC", "share", y), [1, 256]))

    exact, whole = _quantised(network)
    assert silent(exact, whole, SAMPLES) == []


def test_a_scale_that_is_no_number() -> None:
    found = _look(_scaled("total", 0.0))
    assert _named(found) == {("scale", "total")}
    assert _named(_look(_scaled("total", float("nan")))) == {("scale", "total")}


def test_weights_that_are_no_numbers() -> None:
    def change(model: Any) -> None:
        weights = _stored(model, "wide/constant1", "float32")
        weights[:7] = np.nan
        _store(model, "wide/constant1", weights)

    broken = alter(FLOAT, change)
    found = silent(FLOAT, broken, SAMPLES)
    assert ("finite", "wide") in _named(found)
    # Behind it everything is no number, and that is not said of every layer.
    assert "line" not in {f.layer for f in found}
    already = silent(broken, broken, SAMPLES)
    assert any("in the float network already" in f.what for f in already)


def test_outputs_that_changed_places_in_the_signature() -> None:
    exact, whole = _quantised(parallel, (1, 8, 8, 3))

    def change(model: Any) -> None:
        first, second = model.signatureDefs[0].outputs
        first.tensorIndex, second.tensorIndex = second.tensorIndex, first.tensorIndex

    found = silent(exact, alter(whole, change), samples_of((1, 8, 8, 3), 4, seed=9))
    held = [f for f in found if "holds what" in f.what]
    assert [f.layer for f in held] == ["two", "one"]
    assert held[0].what.startswith("output_0 holds what output_1 holds in float")


def test_outputs_that_the_runtime_counts_in_another_order() -> None:
    exact, whole = _quantised(parallel, (1, 8, 8, 3))

    def change(model: Any) -> None:
        model.subgraphs[0].outputs = model.subgraphs[0].outputs[::-1].copy()

    content = alter(whole, change)
    names = [d["name"] for d in interpreter(content, where="a").get_output_details()]
    assert names == ["two", "one"]
    found = silent(exact, content, samples_of((1, 8, 8, 3), 4, seed=9))
    assert [(f.kind, f.layer) for f in found] == [("order", "one"), ("order", "two")]
    assert "get_output_details() has it at place 1" in found[0].what


def test_without_a_signature_the_place_counts() -> None:
    exact, whole = _quantised(parallel, (1, 8, 8, 3))

    def change(model: Any) -> None:
        model.signatureDefs = []
        model.subgraphs[0].outputs = model.subgraphs[0].outputs[::-1].copy()

    found = silent(exact, alter(whole, change), samples_of((1, 8, 8, 3), 4, seed=9))
    assert [(f.kind, f.layer) for f in found] == [("order", "two"), ("order", "one")]


def test_outputs_of_other_shapes_are_told_by_their_number() -> None:
    exact, _ = _quantised(parallel, (1, 8, 8, 3))
    with pytest.raises(DataError, match="has 1 outputs and the float network 2"):
        silent(exact, INT8, samples_of((1, 8, 8, 3), 4))


def test_one_sample_tells_nothing_of_what_moves() -> None:
    with pytest.raises(DataError, match="1 samples"):
        silent(FLOAT, INT8, SAMPLES[:1])


def test_samples_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match=r"a sample has shapes \[\[1, 8, 8, 3\]\]"):
        silent(FLOAT, INT8, samples_of((1, 8, 8, 3), 2))


def test_findings_are_json_and_of_known_kinds() -> None:
    found = _look(_scaled("line", 100))
    assert {f.kind for f in found} <= set(KINDS)
    assert json.loads(json.dumps([f.to_json() for f in found]))[0]["layer"] == "line"


def _pairs(scale: float) -> bytes:
    """Make the Q/DQ file of a network of one sum, with this scale on its result."""
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install -e .[test]")
    node = onnx.helper.make_node
    constants = {"s": np.float32(scale), "z": np.int8(0)}
    graph = onnx.helper.make_graph(
        [
            node("Add", ["x", "x"], ["y"]),
            node("QuantizeLinear", ["y", "s", "z"], ["y8"]),
            node("DequantizeLinear", ["y8", "s", "z"], ["out"]),
        ],
        "made for tests",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, SHAPE)],
        [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, SHAPE)],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    content: bytes = onnx.helper.make_model(
        graph, ir_version=9, opset_imports=[onnx.helper.make_opsetid("", 19)]
    ).SerializeToString()
    return content


@pytest.mark.parametrize(
    ("scale", "kinds"), [(2 / 127, set()), (2.0, {"collapsed"}), (0.2 / 127, {"clipped"})]
)
def test_a_file_of_pairs_is_looked_at_as_well(scale: float, kinds: set[str]) -> None:
    def network(m: Maker) -> None:
        x = m.input("x", SHAPE)
        m.output(m.add("y", x, x))

    found = silent(make(network), _pairs(scale), SAMPLES)
    assert {f.kind for f in found if f.layer == "y"} == kinds
