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
from export.onnx_writer import check_qdq, write_onnx
from export.onnx_writer.rules import RULES
from tests.export.onnx_writer_kit import Bench


def _real(*shape: int) -> Any:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def _network() -> bytes:
    """A residual network with a pool, a concatenation and a classifier."""
    m = Bench()
    x = m.input(1, 8, 8, 3, name="photo")
    stem = m.conv(x, _real(4, 3, 3, 3), _real(4), act="RELU6", name="stem")
    inner = m.conv(stem, _real(4, 3, 3, 4), _real(4), name="inner")
    total = m.add(stem, inner, act="RELU6", name="total")
    joined = m.concat(total, stem)
    pooled = m.node("MAX_POOL_2D", [joined], (1, 4, 4, 8), options="Pool2DOptions", padding=1,
                    filterHeight=2, filterWidth=2, strideH=2, strideW=2, name="pooled")  # fmt: skip
    content = m.build(m.conv(pooled, _real(2, 1, 1, 8), _real(2), name="last"))
    names = ("photo", "stem", "inner", "total", "CONCATENATION_3", "pooled", "last")
    return write_onnx(content, precision="int8", ranges=dict.fromkeys(names, (-3.0, 6.0)),
                      where="test")  # fmt: skip


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
    _node(model, "stem").op_type = "Selu"
    del _node(model, "stem").input[1:]


def _uint8(model: Any) -> None:
    _node(model, "stem/q").input[2] = _add_constant(model, "wrong", np.uint8(0))


def _shifted(model: Any) -> None:
    _node(model, "stem/q").input[2] = _add_constant(model, "wrong", np.int8(3))


def _no_zero_point(model: Any) -> None:
    del _node(model, "stem/q").input[2]


def _scale_of_zero(model: Any) -> None:
    for output in ("stem/q", "stem/dq"):
        _node(model, output).input[1] = _add_constant(model, f"wrong {output}", np.float32(0))


def _computed_scale(model: Any) -> None:
    node = _node(model, "stem/q")
    made = onnx.helper.make_node("Abs", [node.input[1]], ["computed"])
    _insert(model, node, made)
    node.input[1] = "computed"


def _activation_by_channel(model: Any) -> None:
    for output in ("stem/q", "stem/dq"):
        node = _node(model, output)
        node.input[1] = _add_constant(model, f"wrong {output}", np.full(4, 0.1, np.float32))
        node.input[2] = _add_constant(model, f"zeros {output}", np.zeros(4, np.int8))


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
    _node(model, "stem/dq").input[1] = _add_constant(model, "wrong", np.float32(0.5))


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
    ("operator", "stem", _other_operator),
    ("zero-point", "stem/q", _uint8),
    ("zero-point", "stem/q", _shifted),
    ("zero-point", "stem/q", _no_zero_point),
    ("scale", "stem/q", _scale_of_zero),
    ("scale", "stem/q", _computed_scale),
    ("axis", "stem/q", _activation_by_channel),
    ("axis", "const3/onnx/dq", _input_channels),
    ("bias", "inner", _quantised_bias),
    ("weights", "inner", _float_weight),
    ("weights", "inner", _float_input),
    ("activation", "stem/linear/stored", _before_the_activation),
    ("residual", "total/linear", _bare_shortcut),
    ("residual", "total/linear", _rounded_before_the_sum),
    ("pairs", "stem/dq", _other_scale_behind),
    ("pairs", "stem/q", _read_while_stored),
    ("pairs", "stem/dq", _from_nowhere),
    ("once", "again", _twice),
    ("same-scale", "CONCATENATION_3", _unlike_concatenation),
    ("same-scale", "CONCATENATION_3", _half_joined),
    ("same-scale", "pooled", _unlike_pool),
]


def test_what_is_written_breaks_no_rule() -> None:
    assert check_qdq(_network()) == []


@pytest.mark.parametrize(
    ("rule", "node", "breaks"), _BROKEN, ids=[breaks.__name__[1:] for _, _, breaks in _BROKEN]
)
def test_a_broken_rule_is_found_at_its_node(
    rule: str, node: str, breaks: Callable[[Any], None]
) -> None:
    model = onnx.load_from_string(_network())
    breaks(model)
    found = check_qdq(model.SerializeToString())
    assert (rule, node) in [(v.rule, v.node) for v in found]


def test_every_rule_is_broken_once() -> None:
    assert {rule for rule, _, _ in _BROKEN} == set(RULES)


def test_scales_by_channel_need_opset_13() -> None:
    model = onnx.load_from_string(_network())
    model.opset_import[0].version = 12
    assert {v.rule for v in check_qdq(model.SerializeToString())} == {"axis"}


def test_a_float_network_breaks_no_rule() -> None:
    m = Bench()
    x = m.input(1, 8, 8, 3)
    content = m.build(m.conv(x, _real(4, 3, 3, 3), _real(4), act="RELU6"))
    assert check_qdq(write_onnx(content, precision="fp32", ranges=None, where="test")) == []


@pytest.mark.parametrize("content", [b"", b"\x08\x01", b"TFL3" * 8, b"\xff" * 64])
def test_what_is_no_onnx_file_is_refused(content: bytes) -> None:
    with pytest.raises(DataError):
        check_qdq(content)


@given(st.data())
def test_a_damaged_file_is_checked_or_refused(data: st.DataObject) -> None:
    content = bytearray(_WRITTEN)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        check_qdq(bytes(content[: data.draw(st.integers(0, len(content)))]))
    except DataError:
        pass


_WRITTEN = _network()
