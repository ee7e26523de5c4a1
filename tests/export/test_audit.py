"""What a file may be called is decided by what its operators compute in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import DataError
from export.inspection.audit import audit, audit_onnx
from export.inspection.audit.tflite import QUANTISED
from tests.export.tflite_maker import Maker, Ref, make, ranges_of, samples_of, small

FLOAT = make(small)
RANGES = ranges_of(FLOAT, samples_of((1, 16, 16, 3)))
INT8 = make(small, RANGES)


def _conv(weights: Callable[[Maker], Ref]) -> bytes:
    """Make a float convolution whose weights are stored in a way of their own."""
    maker = Maker()
    x = maker.input("x", (1, 4, 4, 2))
    out = maker.conv("y", x, np.ones((3, 1, 1, 2)), np.ones(3))
    stored = weights(maker)
    # What unpacks the weights stands before what reads them.
    maker.graph.operators = [*maker.graph.operators[1:], maker.graph.operators[0]]
    maker.graph.operators[-1].inputs[1] = stored.index
    maker.output(out)
    return maker.content()


def _half(maker: Maker) -> Ref:
    return maker.dequantize("half", maker.constant("w16", np.ones((3, 1, 1, 2), np.float16)))


def _bytes(maker: Maker) -> Ref:
    return maker.constant("w8", np.ones((3, 1, 1, 2), np.int8), np.full(3, 0.1))


def _unpacked_bytes(maker: Maker) -> Ref:
    return maker.dequantize("whole", _bytes(maker))


def test_a_float_file_is_called_fp32() -> None:
    found = audit(FLOAT, "a.tflite")
    assert found.label == "fp32"
    assert found.counts == {"float32": 7}
    assert found.exceptions == () and found.islands == 0


def test_a_file_is_called_int8_when_all_that_computes_is() -> None:
    found = audit(INT8, "a.tflite")
    assert found.label == "int8"
    assert found.counts == {"int8": 7}
    assert found.inputs == ("int8",) and found.outputs == ("int8",)


@pytest.mark.parametrize(
    ("weights", "label", "precision"),
    [
        (_half, "fp16 weights", "float16 weights"),
        # Users take both of these for INT8; neither is.
        (_unpacked_bytes, "weights-only int8", "int8 weights"),
        (_bytes, "dynamic range", "dynamic"),
    ],
)
def test_small_weights_alone_make_no_int8(
    weights: Callable[[Maker], Ref], label: str, precision: str
) -> None:
    found = audit(_conv(weights), "a.tflite")
    assert found.label == label
    assert found.counts == {precision: 1}
    # Unpacking a constant is no island and nothing left over.
    assert found.leftovers == () and found.islands == 0


def test_what_was_left_in_float_stands_beside_the_name_with_the_reason() -> None:
    kept = frozenset({"line"})
    content = make(small, RANGES, keep_float=kept)
    found = audit(content, "a.tflite", keep_float=kept)
    assert found.label == "int8 except 1: CONV_2D line"
    assert [(o.op, o.name, o.reason) for o in found.exceptions] == [
        ("CONV_2D", "line", "kept float on purpose")
    ]
    assert found.islands == 1
    assert [o.op for o in found.leftovers] == ["DEQUANTIZE", "QUANTIZE"]
    unasked = audit(content, "a.tflite").exceptions[0].reason
    assert unasked == "left in float, though the quantiser has an int8 rule for it"


def test_an_operator_that_the_quantiser_does_not_know_is_an_exception_of_its_own() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", (1, 8, 8, 3))
        a = m.conv("a", x, np.ones((4, 1, 1, 3)), np.zeros(4))
        b = m.prelu("b", a, np.full(4, 0.25))
        c = m.conv("c", b, np.ones((4, 1, 1, 4)), np.zeros(4))
        d = m.prelu("d", c, np.full(4, 0.25))
        m.output(m.conv("e", d, np.ones((4, 1, 1, 4)), np.zeros(4)))

    ranges = ranges_of(make(network), samples_of((1, 8, 8, 3)))
    found = audit(make(network, ranges, keep_float=frozenset({"b", "d"})), "a.tflite")
    assert found.label == "int8 except 2: PRELU b, PRELU d"
    assert {o.reason for o in found.exceptions} == {"the quantiser has no int8 rule for it"}
    assert found.islands == 2
    # The same with the runtime's own int8 PRELU has no exception.
    assert audit(make(network, ranges), "a.tflite").label == "int8"


def test_a_mostly_float_file_is_not_called_int8() -> None:
    kept = frozenset({"stem", "wide", "line", "total", "pooled"})
    found = audit(make(small, RANGES, keep_float=kept), "a.tflite")
    assert found.label == "fp32, 2 of 7 operators in int8"


def test_float_ends_of_an_int8_file_are_told() -> None:
    maker = Maker(RANGES)
    x = maker._flowing("x", (1, 4, 4, 2), None)
    maker.graph.inputs.append(x.index)
    q = maker.quantize("q", x, (1 / 128, 0))
    maker.output(maker.unary("LOGISTIC", "y", q))
    found = audit(maker.content(), "a.tflite")
    assert found.label == "int8, float32 input or output"
    assert [o.precision for o in found.operators] == ["float32 to int8", "int8"]


def test_what_moves_does_not_decide_and_what_is_left_over_is_listed() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", (1, 4, 4, 2))
        y = m.transpose("turned", x, [0, 3, 1, 2])
        flat = m.reshape("flat", y, [1, 32])
        m.output(m.unary("LOGISTIC", "y", flat))

    found = audit(make(network, {}), "a.tflite")
    assert found.label == "int8"
    assert [o.role for o in found.operators] == ["moves", "moves", "computes"]
    assert [o.op for o in found.leftovers] == ["TRANSPOSE"]


def test_a_custom_operator_is_left_over_and_no_int8() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", (1, 4))
        y = m.unary("LOGISTIC", "y", x)
        z = m._flowing("z", (1, 4), None)
        m.raw("FlexErf", [m.dequantize("back", y)], [z])
        m.output(z)

    found = audit(make(network, {}), "a.tflite")
    assert found.label == "int8 except 1: FlexErf z"
    assert found.exceptions[0].reason == "a custom operator, which no plain runtime has"
    assert "FlexErf" in {o.op for o in found.leftovers}


def test_shapes_are_counted_not_computed() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", (1, 4))
        m.raw("SHAPE", [x], [m.whole([0, 0])])
        m.output(m.unary("LOGISTIC", "y", x))

    found = audit(make(network, {}), "a.tflite")
    assert found.operators[0].role == "counts" and found.operators[0].precision == "integer"
    assert found.label == "int8"


def test_names_cannot_command_a_terminal() -> None:
    def network(m: Maker) -> None:
        x = m.input("x", (1, 8, 8, 3))
        a = m.conv("\x1b[2J\u202eevil", x, np.ones((4, 1, 1, 3)), np.zeros(4))
        m.output(m.conv("b", a, np.ones((4, 1, 1, 4)), np.zeros(4)))

    ranges = ranges_of(make(network), samples_of((1, 8, 8, 3)))
    label = audit(make(network, ranges, keep_float=frozenset(ranges) - {"b"}), "a").label
    assert label.isprintable() and "evil" in label


def test_json_holds_the_findings() -> None:
    table = json.loads(json.dumps(audit(make(small, RANGES, keep_float={"line"}), "a").to_json()))
    assert table["label"] == "int8 except 1: CONV_2D line"
    assert table["computing"] == {"int8": 6, "float32": 1}
    assert table["exceptions"][0]["name"] == "line"


def test_the_list_of_quantised_operators_is_the_packages_own() -> None:
    pytest.importorskip(
        "ai_edge_quantizer", reason="needs ai-edge-quantizer: pip install -e .[export]"
    )
    from ai_edge_quantizer import default_policy

    policy = json.loads(default_policy.DEFAULT_JSON_POLICY)
    theirs = set(policy["ops_per_config"]["static_wi8_ai8"]) - {"INPUT", "OUTPUT"}
    renamed = {"CONV_2D_TRANSPOSE": "TRANSPOSE_CONV"}
    assert {renamed.get(op, op) for op in theirs} == QUANTISED


@pytest.mark.parametrize("content", [b"", b"TFL3", b"x" * 100, FLOAT[:-200], INT8[:60]])
def test_damaged_files_are_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"bad\.tflite: is "):
        audit(content, "bad.tflite")


@settings(max_examples=150)
@given(st.integers(8, len(INT8) - 1), st.integers(0, 255))
def test_a_changed_byte_never_breaks_the_reader(place: int, value: int) -> None:
    content = INT8[:place] + bytes([value]) + INT8[place + 1 :]
    try:
        json.dumps(audit(content, "bad.tflite").to_json())
    except DataError:
        pass


# ONNX


def _onnx(nodes: Sequence[Any], constants: dict[str, Any], *, half: bool = False) -> bytes:
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
    kind = onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
    shape = [1, 2, 4, 4]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, ins, outs, name="n") for op, ins, outs in nodes],
        "made for tests",
        [onnx.helper.make_tensor_value_info("x", kind, shape)],
        [onnx.helper.make_tensor_value_info("y", kind, shape)],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    opset = onnx.helper.make_opsetid("", 19)
    content: bytes = onnx.helper.make_model(graph, opset_imports=[opset]).SerializeToString()
    return content


W = np.ones((2, 2, 1, 1), np.float32)
STEPS = {"s": np.float32(0.1), "z": np.int8(0), "w8": W.astype(np.int8)}
PAIR = [("QuantizeLinear", ["x", "s", "z"], ["q"]), ("DequantizeLinear", ["q", "s", "z"], ["d"])]
WEIGHTS = [("DequantizeLinear", ["w8", "s", "z"], ["w"])]


@pytest.mark.parametrize(
    ("nodes", "constants", "label", "counts"),
    [
        ([("Conv", ["x", "w"], ["y"])], {"w": W}, "fp32", {"float32": 1}),
        # Conv and its activation run in one.
        (
            [*PAIR, *WEIGHTS, ("Conv", ["d", "w"], ["c"]), ("Relu", ["c"], ["y"])],
            STEPS,
            "int8, float32 input or output",
            {"int8": 2},
        ),
        # A float bias is no exception: it goes into the accumulator.
        (
            [*PAIR, *WEIGHTS, ("Conv", ["d", "w", "b"], ["y"])],
            {**STEPS, "b": np.zeros(2, np.float32)},
            "int8, float32 input or output",
            {"int8": 1},
        ),
        # The residual side has a pair, the convolution's side has none between.
        (
            [*PAIR, *WEIGHTS, ("Conv", ["d", "w"], ["c"]), ("Add", ["c", "d"], ["y"])],
            STEPS,
            "int8, float32 input or output",
            {"int8": 2},
        ),
        # A transpose between the pair and the convolution changes no value.
        (
            [*PAIR, *WEIGHTS, ("Transpose", ["d"], ["t"]), ("Conv", ["t", "w"], ["y"])],
            STEPS,
            "int8, float32 input or output",
            {"int8": 1},
        ),
        ([*WEIGHTS, ("Conv", ["x", "w"], ["y"])], STEPS, "weights-only int8", {"int8 weights": 1}),
        (
            [*PAIR, *WEIGHTS, ("Conv", ["d", "w"], ["c"]), ("Sigmoid", ["c"], ["y"])],
            STEPS,
            "int8 except 1: Sigmoid y",
            {"float32": 1, "int8": 1},
        ),
        ([("MatMulInteger", ["x", "w8"], ["y"])], STEPS, "dynamic range", {"dynamic": 1}),
        ([("QLinearAdd", ["x", "x"], ["y"])], {}, "int8, float32 input or output", {"int8": 1}),
    ],
)
def test_an_onnx_file_is_called_by_its_pairs(
    nodes: list[Any], constants: dict[str, Any], label: str, counts: dict[str, int]
) -> None:
    found = audit_onnx(_onnx(nodes, constants), "a.onnx")
    assert (found.label, found.counts) == (label, counts)


def test_half_floats_are_called_fp16() -> None:
    content = _onnx([("Conv", ["x", "w"], ["y"])], {"w": W.astype(np.float16)}, half=True)
    assert audit_onnx(content, "a.onnx").label == "fp16"


def test_onnx_exceptions_have_their_reason() -> None:
    nodes = [*PAIR, *WEIGHTS, ("Conv", ["d", "w"], ["c"]), ("Sigmoid", ["c"], ["y"])]
    content = _onnx(nodes, STEPS)
    assert audit_onnx(content, "a").exceptions[0].reason == "no Q/DQ pair before it"
    kept = audit_onnx(content, "a", keep_float=frozenset({"y"})).exceptions[0]
    assert kept.reason == "kept float on purpose"


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"TFL3 is none either"])
def test_damaged_onnx_files_are_refused(content: bytes) -> None:
    pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
    with pytest.raises(DataError, match=r"bad\.onnx: is no ONNX file"):
        audit_onnx(content, "bad.onnx")
