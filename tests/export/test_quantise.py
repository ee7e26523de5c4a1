"""Full INT8, float16 and dynamic range, run on the real runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.anatomy.graph import Graph, read_graph
from benchmarks.metrics import sqnr_db
from edge.contract import TensorSpec
from edge.errors import DataError, UsageError
from export.calibration.ranges import Ranges, Sample, byte_spans, observe
from tests.export.float_maker import Maker
from tests.export.runs import run

pytest.importorskip("ai_edge_quantizer", reason="needs ai-edge-quantizer: pip install -e .[export]")

from export.quantisation.quantise import quantise, to_dynamic, to_fp16

Make = Callable[[Maker, int], int]

SIDE, CHANNELS = 6, 8


def _normal(*shape: int, seed: int = 0, scale: float = 0.3) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def _after_conv(make: Make, **file: Any) -> bytes:
    """Return a convolution and whatever reads it."""
    m = Maker()
    x = m.input(1, SIDE, SIDE, 3, name="picture")
    y = m.conv(x, _normal(CHANNELS, 3, 3, 3), _normal(CHANNELS, seed=1), name="conv")
    return m.build(make(m, y), **file)


def _pictures(count: int = 24, seed: int = 5) -> list[Sample]:
    rng = np.random.default_rng(seed)
    return [(rng.uniform(-1, 1, (1, SIDE, SIDE, 3)).astype(np.float32),) for _ in range(count)]


def _ranges(content: bytes, **options: Any) -> Ranges:
    return observe(content, _pictures(), where="net", **options)


def _likeness(content: bytes, made: bytes, **how: Any) -> float:
    samples = _pictures(8, seed=9)
    return sqnr_db(run(content, samples), run(made, samples, **how))


def _ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def _head(m: Maker, y: int) -> int:
    y = m.depthwise(
        y, _normal(1, 3, 3, CHANNELS), _normal(CHANNELS, seed=2), act="RELU6", name="dw"
    )
    return m.conv(y, _normal(4, 1, 1, CHANNELS, seed=3), _normal(4, seed=4), name="head")


def test_full_int8_with_a_scale_a_channel() -> None:
    content = _after_conv(_head)
    made = quantise(content, _ranges(content))
    graph = read_graph(made, where="q")
    assert _ops(graph) == ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D"]
    for node in graph.nodes:
        source, weight, bias = (graph.tensors[i] for i in node.inputs)
        assert (source.dtype, weight.dtype, bias.dtype) == ("int8", "int8", "int32")
        assert weight.quantisation is not None and weight.quantisation.zero_point.any() == False  # noqa: E712
        assert weight.quantisation.scale.size == bias.shape[0]
    assert {graph.tensors[i].dtype for _, i in graph.inputs + graph.outputs} == {"int8"}
    assert _likeness(content, made) > 30
    assert _likeness(content, made, plain=True) > 30


def test_equal_input_gives_equal_bytes() -> None:
    content = _after_conv(_head)
    ranges = _ranges(content)
    for make in (
        lambda: quantise(content, ranges),
        lambda: to_fp16(content),
        lambda: to_dynamic(content),
    ):
        assert make() == make()


@pytest.mark.parametrize(
    ("mean", "std", "scale", "zero"),
    [
        (128, 128, 1 / 128, 0),
        (0, 255, 1 / 255, -128),
        (127.5, 127.5, 1 / 127.5, 0),
        (127, 128, 1 / 128, -1),
    ],
)
def test_a_pictures_step_is_one_byte(mean: float, std: float, scale: float, zero: int) -> None:
    content = _after_conv(_head)
    spec = TensorSpec("args_0", "image", (1, 6, 6, 3), "float32", mean=mean, std=std)
    made = quantise(content, _ranges(content, spans=byte_spans([spec])))
    graph = read_graph(made, where="q")
    stored = graph.tensors[graph.inputs[0][1]].quantisation
    assert stored is not None
    assert float(stored.scale[0]) == pytest.approx(scale, rel=1e-6)
    assert abs(int(stored.zero_point[0]) - zero) <= (mean == 127.5)


def _channel(kind: str) -> bytes:
    """Return two convolutions; one channel, or all of the first, is dead in some way."""
    m = Maker()
    x = m.input(1, SIDE, SIDE, 3)
    weight, bias = _normal(CHANNELS, 3, 3, 3), _normal(CHANNELS, seed=1)
    if kind == "pruned channel":
        weight[2], bias[2] = 0, 1.5
    elif kind == "vanished channel":
        weight[2], bias[2] = weight[2] * 1e-20, 1.5
    elif kind == "dead layer":
        bias[:] = -100
    y = m.conv(x, weight, bias, act="RELU")
    if kind == "dead sum":
        y = m.node(
            "MUL", [y, m.constant(np.zeros(1, np.float32))], m.shape(y), options="MulOptions"
        )
        y = m.add(y, y)
    return m.build(m.conv(y, _normal(4, 3, 3, CHANNELS, seed=3), _normal(4, seed=4)))


@pytest.mark.parametrize("kind", ["pruned channel", "vanished channel", "dead layer", "dead sum"])
@pytest.mark.parametrize("plain", [False, True])
def test_a_bias_survives_weights_that_do_not(kind: str, plain: bool) -> None:
    content = _channel(kind)
    made = quantise(content, _ranges(content))
    for tensor in read_graph(made, where="q").tensors:
        if tensor.dtype == "int32" and tensor.data is not None:
            assert np.abs(tensor.data.astype(np.int64)).max() <= 2**30 + 1
    assert _likeness(content, made, plain=plain) > 30


@pytest.mark.parametrize("names", [{"conv"}, {"head"}, {"dw", "head"}])
def test_named_nodes_stay_float(names: set[str]) -> None:
    content = _after_conv(_head)
    ranges = _ranges(content)
    made = quantise(content, ranges, keep_float=frozenset(names))
    graph = read_graph(made, where="q")
    computing = [n for n in graph.nodes if n.op not in ("QUANTIZE", "DEQUANTIZE")]
    float_ones = [n for n in computing if graph.tensors[n.inputs[1]].dtype == "float32"]
    assert {graph.tensors[n.outputs[0]].name for n in float_ones} == names
    assert {graph.tensors[i].dtype for _, i in graph.inputs + graph.outputs} == {"int8"}
    assert _likeness(content, made) > 30


def test_a_name_that_nobody_makes_is_refused() -> None:
    content = _after_conv(_head)
    with pytest.raises(UsageError, match="no operator makes 'picture'"):
        quantise(content, _ranges(content), keep_float=frozenset({"picture"}))


def test_uint8_ends_cost_one_operator_each() -> None:
    content = _after_conv(_head)
    ranges = _ranges(content)
    signed, unsigned = quantise(content, ranges), quantise(content, ranges, io="uint8")
    graph = read_graph(unsigned, where="q")
    assert _ops(graph) == ["QUANTIZE", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "QUANTIZE"]
    assert {graph.tensors[i].dtype for _, i in graph.inputs + graph.outputs} == {"uint8"}
    samples = _pictures(4, seed=9)
    np.testing.assert_allclose(run(unsigned, samples), run(signed, samples), atol=1e-6)
    with pytest.raises(UsageError, match="io 'int16'"):
        quantise(content, ranges, io="int16")


ENDS = {"LOGISTIC": (1 / 256, -128), "SOFTMAX": (1 / 256, -128), "TANH": (1 / 128, 0)}


@pytest.mark.parametrize("op", ENDS)
def test_known_ends_are_those_of_the_kernel(op: str) -> None:
    options = {"options": "SoftmaxOptions", "beta": 1.0} if op == "SOFTMAX" else {}
    content = _after_conv(lambda m, y: m.node(op, [y], m.shape(y), **options))
    graph = read_graph(quantise(content, _ranges(content)), where="q")
    stored = graph.tensors[graph.outputs[0][1]].quantisation
    assert stored is not None
    assert (float(stored.scale[0]), int(stored.zero_point[0])) == ENDS[op]


def _unary(op: str, options: str = "", **fields: Any) -> Make:
    return lambda m, y: m.node(op, [y], m.shape(y), options=options, **fields)


def _ints(m: Maker, *values: int) -> int:
    return m.constant(np.array(values, np.int32))


def _blocks(m: Maker, y: int) -> list[int]:
    return [_ints(m, 2, 2), m.constant(np.zeros((2, 2), np.int32))]


def _logarithm(m: Maker, y: int) -> int:
    raised = m.add(m.node("ABS", [y], m.shape(y)), m.constant(np.ones(1, np.float32)))
    return m.node("LOG", [raised], m.shape(y))


def _choice(m: Maker, y: int) -> int:
    above = m.node("GREATER", [y, m.constant(np.zeros(1, np.float32))], m.shape(y), dtype="bool")
    low = m.node("MUL", [y, m.constant(np.full(1, 0.3, np.float32))], m.shape(y),
                 options="MulOptions")  # fmt: skip
    return m.node("SELECT", [above, y, low], m.shape(y))


#: Operators that the quantiser does not know and the runtime does.
LEFT: dict[str, Make] = {
    "RELU6": _unary("RELU6"),
    "RELU_N1_TO_1": _unary("RELU_N1_TO_1"),
    "RELU_0_TO_1": _unary("RELU_0_TO_1"),
    "LEAKY_RELU": _unary("LEAKY_RELU", "LeakyReluOptions", alpha=0.2),
    "PRELU": lambda m, y: m.node(
        "PRELU",
        [y, m.constant(np.linspace(0.1, 0.4, CHANNELS, dtype=np.float32).reshape(1, 1, -1))],
        m.shape(y),
    ),
    "ELU": _unary("ELU"),
    "ABS": _unary("ABS"),
    "EXP": _unary("EXP"),
    "LOG": _logarithm,
    "GREATER": _choice,
    "L2_NORMALIZATION": _unary("L2_NORMALIZATION", "L2NormOptions"),
    "LOG_SOFTMAX": _unary("LOG_SOFTMAX"),
    "MINIMUM": lambda m, y: m.node(
        "MINIMUM", [y, m.constant(np.array(0.5, np.float32))], m.shape(y)
    ),
    "REDUCE_MAX": lambda m, y: m.node(
        "REDUCE_MAX",
        [y, _ints(m, 1, 2)],
        (1, 1, 1, CHANNELS),
        options="ReducerOptions",
        keepDims=True,
    ),
    "SQUEEZE": lambda m, y: m.node(
        "SQUEEZE", [y], (SIDE, SIDE, CHANNELS), options="SqueezeOptions", squeezeDims=[0]
    ),
    "EXPAND_DIMS": lambda m, y: m.node(
        "EXPAND_DIMS", [y, _ints(m, 0)], (1, 1, SIDE, SIDE, CHANNELS)
    ),
    "DEPTH_TO_SPACE": lambda m, y: m.node(
        "DEPTH_TO_SPACE", [y], (1, 12, 12, 2), options="DepthToSpaceOptions", blockSize=2
    ),
    "BATCH_TO_SPACE_ND": lambda m, y: m.node(
        "BATCH_TO_SPACE_ND",
        [m.node("SPACE_TO_BATCH_ND", [y, *_blocks(m, y)], (4, 3, 3, CHANNELS)), *_blocks(m, y)],
        m.shape(y),
    ),
    "TILE": lambda m, y: m.node("TILE", [y, _ints(m, 1, 2, 1, 1)], (1, 12, SIDE, CHANNELS)),
    "REVERSE_V2": lambda m, y: m.node("REVERSE_V2", [y, _ints(m, 1)], m.shape(y)),
}


@pytest.mark.parametrize("op", LEFT)
@pytest.mark.parametrize("plain", [False, True])
def test_operators_that_the_quantiser_leaves_get_integers_too(op: str, plain: bool) -> None:
    content = _after_conv(LEFT[op])
    made = quantise(content, _ranges(content))
    graph = read_graph(made, where="q")
    assert op in _ops(graph)
    assert {graph.tensors[o].dtype for n in graph.nodes for o in n.outputs} <= {"int8", "bool"}
    assert _likeness(content, made, plain=plain) > 30


@pytest.mark.parametrize("rank", [0, 1, 2, 4])
def test_constants_of_any_rank_share_a_results_scale(rank: int) -> None:
    floor = np.full((1,) * rank, -0.2, np.float32)
    content = _after_conv(lambda m, y: m.node("MAXIMUM", [y, m.constant(floor)], m.shape(y)))
    assert _likeness(content, quantise(content, _ranges(content))) > 30


@pytest.mark.parametrize("border", [-np.inf, np.finfo(np.float32).min])
def test_the_border_of_a_pool_for_maxima_takes_no_part(border: float) -> None:
    def pool(m: Maker, y: int) -> int:
        edges = m.constant(np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
        y = m.node("PADV2", [y, edges, m.constant(np.array([border], np.float32))],
                   (1, 8, 8, CHANNELS), name="padded")  # fmt: skip
        return m.node("MAX_POOL_2D", [y], (1, 3, 3, CHANNELS), options="Pool2DOptions",
                      padding=1, strideH=2, strideW=2, filterHeight=3, filterWidth=3)  # fmt: skip

    content = _after_conv(pool)
    ranges = _ranges(content)
    assert ranges["padded"] == ranges["conv"]
    made = quantise(content, ranges)
    assert _ops(read_graph(made, where="q")) == ["CONV_2D", "PADV2", "MAX_POOL_2D"]
    for plain in (False, True):
        assert _likeness(content, made, plain=plain) > 30


def test_an_operator_between_two_float_ones_hands_floats_on() -> None:
    def chain(m: Maker, y: int) -> int:
        y = m.node("RELU6", [y], m.shape(y), name="clip")
        both = m.node("FLOOR", [y], m.shape(y), name="floor")
        return m.conv(m.add(y, both), _normal(4, 1, 1, CHANNELS), _normal(4))

    content = _after_conv(chain)
    made = quantise(content, _ranges(content))
    graph = read_graph(made, where="q")
    types = {
        graph.tensors[n.outputs[0]].name: graph.tensors[n.outputs[0]].dtype for n in graph.nodes
    }
    assert (types["clip"], types["floor"]) == ("int8", "float32")
    samples = _pictures(8, seed=9)
    assert sqnr_db(run(content, samples), run(made, samples)) > 12  # FLOOR jumps at a step


def test_a_node_that_shall_stay_float_is_left_alone() -> None:
    content = _after_conv(LEFT["RELU6"])
    graph = read_graph(content, where="net")
    name = graph.tensors[graph.nodes[-1].outputs[0]].name
    made = read_graph(quantise(content, _ranges(content), keep_float=frozenset({name})), where="q")
    assert _ops(made) == ["CONV_2D", "DEQUANTIZE", "RELU6", "QUANTIZE"]


def test_two_branches_meet_at_one_scale() -> None:
    def branches(m: Maker, y: int) -> int:
        wide = m.conv(y, _normal(4, 1, 1, CHANNELS, scale=3), _normal(4))
        low = m.node(
            "MINIMUM", [wide, m.conv(y, _normal(4, 1, 1, CHANNELS), _normal(4))], (1, 6, 6, 4)
        )
        return m.concat(low, m.node("LOGISTIC", [wide], m.shape(wide)), y)

    content = _after_conv(branches)
    made = quantise(content, _ranges(content))
    graph = read_graph(made, where="q")
    assert {graph.tensors[o].dtype for n in graph.nodes for o in n.outputs} == {"int8"}
    assert _likeness(content, made) > 30


@pytest.mark.parametrize(
    "file", [{"signature": False}, {"old": True}, {"signature": False, "old": True}]
)
def test_a_strangers_file_is_quantised_like_ours(file: dict[str, bool]) -> None:
    content = _after_conv(_head, **file)
    made = quantise(content, _ranges(content))
    assert made == quantise(_after_conv(_head), _ranges(_after_conv(_head)))


def test_fp16_and_dynamic_store_small_weights_and_compute_in_float() -> None:
    def wide(m: Maker, y: int) -> int:
        y = m.conv(y, _normal(64, 3, 3, CHANNELS), _normal(64), act="RELU")
        return m.conv(y, _normal(32, 3, 3, 64, scale=0.05), _normal(32))

    content = _after_conv(wide)
    half, dynamic = to_fp16(content), to_dynamic(content)
    assert len(half) < 0.6 * len(content)
    assert len(dynamic) < 0.35 * len(content)
    assert _likeness(content, half) > 60
    assert _likeness(content, dynamic) > 30
    for made, dtype in ((half, "float16"), (dynamic, "int8")):
        graph = read_graph(made, where="m")
        assert dtype in {t.dtype for t in graph.tensors if t.data is not None}
        assert {graph.tensors[i].dtype for _, i in graph.inputs + graph.outputs} == {"float32"}


def test_ranges_of_another_network_are_refused() -> None:
    content = _after_conv(_head)
    other = _ranges(_after_conv(_unary("RELU6")))
    with pytest.raises(DataError, match="no range for tensor dw and 1 more"):
        quantise(content, other)


def test_a_file_that_is_no_network_is_refused() -> None:
    content = _after_conv(_head)
    for make in (
        lambda c: quantise(c, _ranges(content), where="f"),
        lambda c: to_fp16(c, where="f"),
    ):
        for damaged in (b"", content[:40], content[: len(content) // 2]):
            with pytest.raises(DataError, match=r"^f: "):
                make(damaged)
