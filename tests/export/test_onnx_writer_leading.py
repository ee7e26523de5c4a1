"""One file serves one face and several: nothing but its declarations says 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from export.onnx_writer import write_onnx, writer
from tests.export.onnx_writer_cases import CASES
from tests.export.onnx_writer_kit import Array, Bench, as_onnx, model_of, run_onnx, samples_of
from tests.trt.nets import network

#: What is of one face by what it computes: a constant is joined to the face, the first axis is
#: widened or picked from; and Resizes by what float32 does not hold.
ALONE = frozenset(
    [
        "BROADCAST_TO",
        "CONCATENATION channels",
        "CONCATENATION rows",
        "GATHER_ND",
        "GATHER_ND points",
        "RESIZE_BILINEAR",
        "RESIZE_BILINEAR corners",
        "RESIZE_NEAREST_NEIGHBOR",
        "RESIZE_NEAREST_NEIGHBOR corners",
        "RESIZE_NEAREST_NEIGHBOR half",
    ]
)
PRECISIONS = ("int8", "fp16", "fp32")


def _opened(content: bytes) -> bytes:
    """Put a symbol in the place of the inputs' first size; drop the sizes that follow from it."""
    model = onnx.load_from_string(content)
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_param = "faces"
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    opened: bytes = model.SerializeToString()
    return opened


def _together(samples: list[tuple[Array, ...]]) -> tuple[Array, ...]:
    return tuple(np.concatenate(arrays) for arrays in zip(*samples, strict=True))


@pytest.mark.parametrize("case", [case for case in CASES if case not in ALONE])
def test_three_faces_at_once_are_three_faces(case: str) -> None:
    maker = Bench()
    content = maker.build(*CASES[case](maker))
    written = write_onnx(content, precision="fp32", ranges=None, where="test")
    samples = samples_of(content, 3)
    alone = _together([tuple(run_onnx(written, sample)) for sample in samples])
    for wanted, found in zip(alone, run_onnx(_opened(written), _together(samples)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_network_of_every_precision_takes_three_faces(precision: str) -> None:
    rng = np.random.default_rng(0)
    samples = [(rng.uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32),) for _ in range(3)]
    written = network(precision)
    alone = _together([tuple(run_onnx(written, sample)) for sample in samples])
    (found,) = run_onnx(_opened(written), _together(samples))
    assert not np.array_equal(found[0], found[1])
    np.testing.assert_allclose(found, alone[0], rtol=1e-5, atol=1e-5)


def _written(case: str, monkeypatch: pytest.MonkeyPatch, *, free: bool) -> tuple[bytes, bytes]:
    maker = Bench()
    content = maker.build(*CASES[case](maker))
    with monkeypatch.context() as patch:
        if not free:
            patch.setattr(writer, "free_leading", lambda draft: draft)
        return content, write_onnx(content, precision="fp32", ranges=None, where="test")


@pytest.mark.parametrize("case", [case for case in CASES if "RES" in case or "FULLY" in case])
def test_one_face_gets_the_same_numbers_as_with_the_sizes_named(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, named = _written(case, monkeypatch, free=False)
    _, freed = _written(case, monkeypatch, free=True)
    (sample,) = samples_of(content)
    for wanted, found in zip(run_onnx(named, sample), run_onnx(freed, sample), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_shape_copies_the_first_axis_or_leaves_it_over() -> None:
    m = Bench()
    x = m.input(1, 4, 6)
    rows = m.node("FULLY_CONNECTED", [x, m.constant(np.ones((3, 6), np.float32))], (1, 4, 3),
                  options="FullyConnectedOptions", keepNumDims=True)  # fmt: skip
    flat = m.node("RESHAPE", [rows, m.constant(np.array([1, 12], np.int32))], (1, 12))
    shapes = _constants(as_onnx(m, flat), "Reshape", 1)
    assert shapes == [[-1, 6], [-1, 4, 3], [0, 12]]


def test_a_resize_by_what_float32_holds_has_scales_and_others_their_sizes() -> None:
    for size, place, wanted in (((10, 3), 2, [1, 1, 2, 0.75]), ((9, 7), 3, [1, 2, 9, 7])):
        m = Bench()
        x = m.input(1, 5, 4, 2)
        y = m.node("RESIZE_BILINEAR", [x, m.constant(np.array(size, np.int32))], (1, *size, 2),
                   options="ResizeBilinearOptions", halfPixelCenters=True)  # fmt: skip
        assert _constants(as_onnx(m, y), "Resize", place) == [wanted]


def _constants(content: bytes, op: str, place: int) -> list[list[Any]]:
    """Return a constant input of all operators of a type."""
    graph = model_of(content).graph
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return [stored[n.input[place]].tolist() for n in graph.node if n.op_type == op]
