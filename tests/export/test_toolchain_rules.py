"""The rule checker finds what was broken on purpose, and nothing in what we write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")

from edge.errors import DataError
from export.onnx_writer import write_onnx
from export.toolchains.rules import RULES, check_rules, first_reader
from tests.export.onnx_writer_kit import Bench


def _real(*shape: int) -> Any:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def _network(opset: int = 17) -> bytes:
    """A residual network with a concatenation, a pool, an enlarging and a classifier."""
    m = Bench()
    x = m.input(1, 8, 8, 3, name="photo")
    stem = m.conv(x, _real(4, 3, 3, 3), _real(4), act="RELU6", name="stem")
    inner = m.conv(stem, _real(4, 3, 3, 4), _real(4), name="inner")
    total = m.add(stem, inner, act="RELU6", name="total")
    joined = m.concat(total, stem)
    pooled = m.node("MAX_POOL_2D", [joined], (1, 4, 4, 8), options="Pool2DOptions", padding=1,
                    filterHeight=2, filterWidth=2, strideH=2, strideW=2, name="pooled")  # fmt: skip
    narrow = m.conv(pooled, _real(6, 1, 1, 8), _real(6), act="RELU6", name="narrow")
    middle = m.conv(narrow, _real(6, 1, 1, 6), _real(6), act="RELU6", name="middle")
    size = m.constant(np.array([8, 8], np.int32))
    large = m.node("RESIZE_NEAREST_NEIGHBOR", [middle, size], (1, 8, 8, 6), name="large",
                   options="ResizeNearestNeighborOptions")  # fmt: skip
    content = m.build(m.conv(large, _real(2, 1, 1, 6), _real(2), name="last"))
    names = ("photo", "stem", "inner", "total", "CONCATENATION_3", "pooled", "narrow", "middle",
             "large", "last")  # fmt: skip
    return write_onnx(content, precision="int8", ranges=dict.fromkeys(names, (-3.0, 6.0)),
                      opset=opset, where="test")  # fmt: skip


def _node(model: Any, output: str) -> Any:
    return next(node for node in model.graph.node if output in node.output)


def _add_constant(model: Any, name: str, values: Any) -> str:
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(values), name))
    return name


def _insert(model: Any, before: Any, *nodes: Any) -> None:
    place = list(model.graph.node).index(before)
    for offset, node in enumerate(nodes):
        model.graph.node.insert(place + offset, node)


def _pair(model: Any, value: str, reader: Any) -> None:
    """Put a pair of its own between a value and one reader."""
    scale = _add_constant(model, f"{value}/other", np.float32(0.1))
    zero = _add_constant(model, f"{value}/none", np.int8(0))
    stored, real = f"{value}/stored", f"{value}/real"
    quantise = onnx.helper.make_node("QuantizeLinear", [value, scale, zero], [stored])
    dequantise = onnx.helper.make_node("DequantizeLinear", [stored, scale, zero], [real])
    _insert(model, reader, quantise, dequantise)
    for place, name in enumerate(reader.input):
        if name == value:
            reader.input[place] = real


def _other_operator(model: Any) -> None:
    _node(model, "last").domain = "com.example"


def _cubic(model: Any) -> None:
    node = _node(model, "large")
    next(a for a in node.attribute if a.name == "mode").s = b"cubic"


def _indices(model: Any) -> None:
    _node(model, "pooled").output.append("where")


def _later_opset(model: Any) -> None:
    model.opset_import[0].version = 25


def _open_size(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "height"


def _double(model: Any) -> None:
    _node(model, "inner").input[2] = _add_constant(model, "exact", np.zeros(4, np.float64))


def _half_scale(model: Any) -> None:
    model.opset_import[0].version = 19
    for output in ("narrow/q", "narrow/dq"):
        _node(model, output).input[1] = _add_constant(model, f"half {output}", np.float16(0.1))


def _two_zero_points(model: Any) -> None:
    _node(model, "narrow/q").input[2] = _add_constant(model, "two", np.zeros(2, np.int8))


def _no_axis(model: Any) -> None:
    node = _node(model, _node(model, "inner").input[1])
    del node.attribute[:]


def _unlike_enlarging(model: Any) -> None:
    for output in ("large/q", "large/dq"):
        _node(model, output).input[1] = _add_constant(model, f"wrong {output}", np.float32(0.5))


def _uint8(model: Any) -> None:
    _node(model, "stem/q").input[2] = _add_constant(model, "wrong", np.uint8(0))


def _shifted(model: Any) -> None:
    _node(model, "stem/q").input[2] = _add_constant(model, "wrong", np.int8(3))


def _no_zero_point(model: Any) -> None:
    del _node(model, "stem/q").input[2]


def _scale_of_zero(model: Any) -> None:
    for output in ("narrow/q", "narrow/dq"):
        _node(model, output).input[1] = _add_constant(model, f"wrong {output}", np.float32(0))


def _computed_scale(model: Any) -> None:
    node = _node(model, "stem/q")
    made = onnx.helper.make_node("Abs", [node.input[1]], ["computed"])
    _insert(model, node, made)
    node.input[1] = "computed"


def _activation_by_channel(model: Any) -> None:
    for output in ("narrow/q", "narrow/dq"):
        node = _node(model, output)
        node.input[1] = _add_constant(model, f"wrong {output}", np.full(6, 0.1, np.float32))
        node.input[2] = _add_constant(model, f"zeros {output}", np.zeros(6, np.int8))


def _input_channels(model: Any) -> None:
    """Scales of a weight along its input channels."""
    node = _node(model, _node(model, "inner").input[1])
    next(a for a in node.attribute if a.name == "axis").i = 1


def _quantised_bias(model: Any) -> None:
    conv = _node(model, "inner")
    scale = _add_constant(model, "bias scale", np.float32(0.01))
    stored = _add_constant(model, "bias stored", np.zeros(4, np.int32))
    _insert(model, conv, onnx.helper.make_node("DequantizeLinear", [stored, scale], ["bias"]))
    conv.input[2] = "bias"


def _float_weight(model: Any) -> None:
    _node(model, "inner").input[1] = _add_constant(model, "real", _real(4, 4, 3, 3))


def _float_input(model: Any) -> None:
    _node(model, "inner").input[0] = "stem"


def _before_the_activation(model: Any) -> None:
    _pair(model, "stem/linear", _node(model, "stem"))


def _bare_shortcut(model: Any) -> None:
    total = _node(model, "total/linear")
    total.input[list(total.input).index("stem/dq")] = "stem"


def _rounded_before_the_sum(model: Any) -> None:
    _pair(model, "inner", _node(model, "total/linear"))


def _other_scale_behind(model: Any) -> None:
    _node(model, "narrow/dq").input[1] = _add_constant(model, "wrong", np.float32(0.5))


def _read_while_stored(model: Any) -> None:
    model.graph.node.append(onnx.helper.make_node("Neg", ["stem/q"], ["negative"]))


def _from_nowhere(model: Any) -> None:
    node = _node(model, "stem/dq")
    _insert(model, node, onnx.helper.make_node("Identity", ["stem/q"], ["copy"]))
    node.input[0] = "copy"


def _twice(model: Any) -> None:
    first = _node(model, "stem/q")
    again = onnx.helper.make_node("QuantizeLinear", list(first.input), ["again"])
    real = onnx.helper.make_node("DequantizeLinear", ["again", *first.input[1:]], ["again/dq"])
    _insert(model, _node(model, "inner"), again, real)
    _node(model, "inner").input[0] = "again/dq"


def _unlike_concatenation(model: Any) -> None:
    for output in ("total/q", "total/dq"):
        _node(model, output).input[1] = _add_constant(model, f"wrong {output}", np.float32(0.5))


def _half_joined(model: Any) -> None:
    joined = _node(model, "CONCATENATION_3")
    joined.input[list(joined.input).index("total/dq")] = "total"


def _unlike_pool(model: Any) -> None:
    for output in ("pooled/q", "pooled/dq"):
        _node(model, output).input[1] = _add_constant(model, f"wrong {output}", np.float32(0.5))


_BROKEN: list[tuple[str, str, Callable[[Any], None]]] = [
    ("operator", "last", _other_operator),
    ("operator", "large", _cubic),
    ("operator", "pooled", _indices),
    ("opset", "args_0/real", _later_opset),
    ("shape", "args_0/real", _open_size),
    ("dtype", "inner", _double),
    ("zero-point", "stem/q", _uint8),
    ("zero-point", "stem/q", _shifted),
    ("zero-point", "stem/q", _no_zero_point),
    ("zero-point", "narrow/q", _two_zero_points),
    ("scale", "narrow/q", _scale_of_zero),
    ("scale", "stem/q", _computed_scale),
    ("type", "narrow/q", _half_scale),
    ("axis", "narrow/q", _activation_by_channel),
    ("axis", "const3/onnx/dq", _input_channels),
    ("axis", "const3/onnx/dq", _no_axis),
    ("bias", "inner", _quantised_bias),
    ("weights", "inner", _float_weight),
    ("weights", "inner", _float_input),
    ("activation", "stem/linear/stored", _before_the_activation),
    ("residual", "total/linear", _bare_shortcut),
    ("residual", "total/linear", _rounded_before_the_sum),
    ("pairs", "narrow/dq", _other_scale_behind),
    ("pairs", "stem/q", _read_while_stored),
    ("pairs", "stem/dq", _from_nowhere),
    ("once", "again", _twice),
    ("same-scale", "CONCATENATION_3", _unlike_concatenation),
    ("same-scale", "CONCATENATION_3", _half_joined),
    ("same-scale", "pooled", _unlike_pool),
    ("same-scale", "large", _unlike_enlarging),
]


def test_what_is_written_breaks_no_rule() -> None:
    assert check_rules(_network()) == []


@pytest.mark.parametrize(
    ("rule", "node", "breaks"), _BROKEN, ids=[breaks.__name__[1:] for _, _, breaks in _BROKEN]
)
def test_a_broken_rule_is_found_at_its_node_and_no_other(
    rule: str, node: str, breaks: Callable[[Any], None]
) -> None:
    model = onnx.load_from_string(_network())
    breaks(model)
    found = check_rules(model.SerializeToString())
    assert (rule, node) in [(f.rule, f.node) for f in found]
    assert {f.rule for f in found} == {rule}
    assert all(f.source and f.why in str(f) for f in found)


def test_every_rule_is_broken_once() -> None:
    assert {rule for rule, _, _ in _BROKEN} == set(RULES)


def test_scales_by_channel_need_opset_13() -> None:
    model = onnx.load_from_string(_network())
    model.opset_import[0].version = 12
    assert {f.rule for f in check_rules(model.SerializeToString())} == {"axis"}


def test_a_float_network_breaks_no_rule() -> None:
    m = Bench()
    x = m.input(1, 8, 8, 3)
    content = m.build(m.conv(x, _real(4, 3, 3, 3), _real(4), act="RELU6"))
    assert check_rules(write_onnx(content, precision="fp32", ranges=None, where="test")) == []


@pytest.mark.parametrize("opset", [13, 17, 19, 20])
@pytest.mark.parametrize("release", ["8.5.3", "8.6.1", "10.3.0", "10.12.0.36", "11.4.0.106"])
def test_a_release_reads_the_opsets_that_its_table_says(opset: int, release: str) -> None:
    found = {f.rule for f in check_rules(_network(opset), release=release)}
    assert found == ({"opset"} if release.startswith("8.") and opset > 17 else set())


@pytest.mark.parametrize(("opset", "release"), [(17, "8.5"), (19, "10.0"), (21, "10.15")])
def test_the_first_release_that_reads_a_file(opset: int, release: str) -> None:
    model = onnx.load_from_string(_network())
    model.opset_import[0].version = opset
    assert first_reader(model.SerializeToString()) == release


@pytest.mark.parametrize(
    ("op", "last", "first"),
    [("LayerNormalization", "8.5", "8.6"), ("Hardmax", "8.6", "10.0"), ("STFT", "10.4", "10.5")],
)
def test_an_operator_is_read_from_its_release_on(op: str, last: str, first: str) -> None:
    model = onnx.load_from_string(_network())
    model.graph.node.append(onnx.helper.make_node(op, ["last"], ["more"]))
    content = model.SerializeToString()
    assert [(f.rule, f.node) for f in check_rules(content, release=last)] == [("operator", "more")]
    assert check_rules(content, release=first) == []


def test_computed_axes_are_read_from_their_release_on() -> None:
    model = onnx.load_from_string(_network())
    axis = _add_constant(model, "axis", np.array([0], np.int64))
    shaped = onnx.helper.make_node("Abs", [axis], ["computed"])
    model.graph.node.extend(
        [shaped, onnx.helper.make_node("Unsqueeze", ["last", "computed"], ["more"])]
    )
    content = model.SerializeToString()
    assert {f.node for f in check_rules(content, release="10.6")} == {"more"}
    assert check_rules(content, release="10.7") == []


def test_a_missing_zero_point_is_read_from_10_on() -> None:
    model = onnx.load_from_string(_network())
    del _node(model, "stem/dq").input[2]
    content = model.SerializeToString()
    assert [(f.rule, f.node) for f in check_rules(content, release="8.6")] == [
        ("zero-point", "stem/dq")
    ]
    assert check_rules(content, release="10.0") == []


def test_what_no_release_reads() -> None:
    model = onnx.load_from_string(_network())
    _other_operator(model)
    assert first_reader(model.SerializeToString()) is None


@pytest.mark.parametrize("content", [b"", b"\x08\x01", b"TFL3" * 8, b"\xff" * 64])
def test_what_is_no_onnx_file_is_refused(content: bytes) -> None:
    with pytest.raises(DataError):
        check_rules(content)


@given(st.data())
def test_a_damaged_file_is_checked_or_refused(data: st.DataObject) -> None:
    content = bytearray(_WRITTEN)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        check_rules(bytes(content[: data.draw(st.integers(0, len(content)))]))
    except DataError:
        pass


_VALUES = [0, -7, 2**62, 1.5, b"\xff", [1], [1, 2, 3, 4], [0.5], [b"x"]]


@given(st.data())
def test_attributes_of_any_type_are_checked(data: st.DataObject) -> None:
    model = onnx.load_from_string(_WRITTEN)
    node = data.draw(st.sampled_from([n for n in model.graph.node if n.attribute]))
    at = data.draw(st.integers(0, len(node.attribute) - 1))
    value = data.draw(
        st.sampled_from([0, -7, 2**62, 1.5, b"\xff", [1], [1, 2, 3, 4], [0.5], [b"x"]])
    )
    node.attribute[at].CopyFrom(onnx.helper.make_attribute(node.attribute[at].name, value))
    if data.draw(st.booleans()):
        node.attribute[at].type = data.draw(st.integers(0, 14))
    content = model.SerializeToString()
    check_rules(content)
    first_reader(content)


_WRITTEN = _network()
