"""Stages fill engines with raw bytes and read outputs as contracts say."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.contract import Contract, TensorSpec
from edge.errors import BundleError, DataError
from edge.frames import Frame
from edge.geometry import ARCFACE_112, crop_template, transform_points
from edge.results import Detection
from edge.stages import DetectStage, EmotionStage, IdentifyStage, MaskStage, ReconstructStage
from edge.stages.base import crop_matrix, fill_picture
from edge.stages.labels import Labels
from edge.stages.reconstruct import covered_map, to_bytes
from tests.edge.scripted import ScriptedEngine, face_at, face_outputs, half_covered
from tests.makers import EMOTIONS, make_contract, make_frame

BOX = np.array([100, 60, 80, 100], np.float32)
FACE = Detection(BOX, 0.9, (ARCFACE_112 * 0.8 + [95, 60]).astype(np.float32))


def retype(contract: Contract, dtype: str, colour: str = "BGR") -> Contract:
    scale = 1.0 if dtype == "float32" else 1 / 128
    channels = 1 if colour == "GREY" else 3
    first = contract.inputs[0]
    spec = dataclasses.replace(
        first, dtype=dtype, scale=scale, colour=colour, shape=(*first.shape[:3], channels)
    )
    return dataclasses.replace(contract, inputs=(spec, *contract.inputs[1:]))


# The one pre-processing


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("colour", ["BGR", "RGB", "GREY"])
def test_bytes_go_in_as_the_contract_says(dtype: str, colour: str) -> None:
    contract = retype(make_contract("emotion"), dtype, colour)
    spec = contract.inputs[0]
    image = make_frame(64, 64).image
    out = np.zeros(spec.shape, dtype)
    fill_picture(spec, image, np.eye(2, 3), out)
    blue, green, red = (image[..., i].astype(np.float64) for i in range(3))
    expected = {
        "BGR": image.astype(np.float64),
        "RGB": image[..., ::-1].astype(np.float64),
        "GREY": np.round(0.114 * blue + 0.587 * green + 0.299 * red)[..., None],
    }[colour]
    found = {
        "int8": out[0].astype(np.float64) + 128,
        "uint8": out[0].astype(np.float64),
        "float32": out[0].astype(np.float64) * 128 + 128,
    }[dtype]
    assert abs(found - expected).max() <= (1 if colour == "GREY" else 0)


def test_every_byte_has_its_own_int8() -> None:
    image = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, 2)
    spec = TensorSpec("x", "image", (1, 16, 16, 3), "int8", 1 / 128, 0, "BGR")
    out = np.zeros(spec.shape, np.int8)
    fill_picture(spec, image, np.eye(2, 3), out)
    assert (spec.to_real(out)[0] == (image.astype(np.float32) - 128) / 128).all()


@pytest.mark.parametrize("task", ["mask", "emotion", "identity", "map"])
def test_the_face_stands_where_the_contract_says(task: str) -> None:
    contract = make_contract(task)
    matrix = crop_matrix(contract, (240, 320), FACE)
    side = contract.size_hw[0]
    if contract.crop.kind == "points":
        template = crop_template(side, scale=contract.crop.scale)
        np.testing.assert_allclose(transform_points(matrix, FACE.points_5x2), template, atol=1e-3)
    else:
        # The box's middle is the crop's middle; its longer side is 1 / scale of the crop.
        x, y, w, h = BOX - [0.5, 0.5, 0, 0]  # from pixel edges to pixel centres
        top, bottom = transform_points(matrix, [[x + w / 2, y], [x + w / 2, y + h]])
        np.testing.assert_allclose((top + bottom) / 2, (side - 1) / 2, atol=1e-4)
        assert bottom[1] - top[1] == pytest.approx(side / contract.crop.scale)


@pytest.mark.parametrize("points", [np.full((5, 2), 130.0), np.full((5, 2), np.nan)])
def test_points_in_one_place_fall_back_to_the_box(points: NDArray[np.float64]) -> None:
    face = Detection(BOX, 0.9, points.astype(np.float32))
    contract = make_contract("identity")
    matrix = crop_matrix(contract, (240, 320), face)
    # Upright, and the box's longer side fills the 112 pixels of the template.
    np.testing.assert_allclose(matrix[:, :2], np.eye(2) * 1.12, atol=1e-6)
    middle = transform_points(matrix, [100 + 40 - 0.5, 60 + 50 - 0.5])
    np.testing.assert_allclose(middle, 55.5, atol=1e-4)


def test_a_face_network_needs_a_face() -> None:
    with pytest.raises(DataError, match="reads a face and there is none"):
        crop_matrix(make_contract("mask"), (240, 320), None)


# Detection


def detect(faces: list[dict[str, Any]], frame: Frame) -> list[Detection]:
    contract = make_contract("detect")
    engine = ScriptedEngine(contract, *face_outputs(contract, faces))
    return DetectStage(engine, contract)(frame)


@pytest.mark.parametrize("stride", [8, 16, 32])
@pytest.mark.parametrize(("height", "width"), [(320, 320), (240, 640), (1000, 500)])
def test_finds_the_face_that_was_written(stride: int, height: int, width: int) -> None:
    written = face_at(stride, (3, 2), centre=(3.75 * stride, 2.25 * stride))
    (found,) = detect([written], make_frame(height, width))
    zoom = 320 / max(height, width)
    (x, y), (w, h) = written["centre"], written["size"]
    box = np.array([x - w / 2, y - h / 2, w, h]) / zoom
    # The outputs are quantised in steps of 1/16 of a stride; sizes are logarithms.
    np.testing.assert_allclose(found.box_xywh, box, atol=stride / zoom * 5 / 16)
    points = np.array(written["points"]) / zoom
    np.testing.assert_allclose(found.points_5x2, points, atol=stride / zoom / 16)
    assert found.score == pytest.approx(0.9, abs=1 / 256)
    assert found.box_xywh.dtype == found.points_5x2.dtype == np.float32


def test_one_face_in_two_cells_is_one() -> None:
    centre, size = (100, 100), (64, 80)
    faces = [
        face_at(16, (6, 6), centre=centre, size=size, score=0.7),
        face_at(16, (6, 5), centre=centre, size=size, score=0.8),
        face_at(32, (3, 3), centre=centre, size=size, score=0.6),
        face_at(8, (30, 30), score=0.75),
    ]
    found = detect(faces, make_frame(320, 320))
    assert [face.score for face in found] == pytest.approx([0.8, 0.75], abs=1 / 256)


def test_below_the_threshold_is_no_face() -> None:
    assert detect([face_at(8, (3, 3), score=0.49)], make_frame()) == []
    assert len(detect([face_at(8, (3, 3), score=0.5)], make_frame())) == 1


def test_smaller_than_a_pixel_is_no_face() -> None:
    assert detect([face_at(8, (3, 3))], make_frame(1, 1)) == []


def test_what_is_not_finite_is_no_face() -> None:
    contract = make_contract("detect")
    turned = tuple(
        dataclasses.replace(s, dtype="float32", scale=1.0, zero_point=0) for s in contract.outputs
    )
    contract = dataclasses.replace(contract, outputs=turned)
    stage = DetectStage(engine := ScriptedEngine(contract), contract)
    for spec, array in zip(contract.outputs, engine.outputs, strict=True):
        # Score 1 everywhere, then NaN, endless and huge numbers.
        array[:] = {"scores": 1.0, "boxes": np.nan, "points5": np.inf}[spec.meaning]
    assert stage(make_frame()) == []
    for spec, array in zip(contract.outputs, engine.outputs, strict=True):
        array[:] = {"scores": np.nan, "boxes": 1e30, "points5": 0}[spec.meaning]
    assert stage(make_frame()) == []


@pytest.mark.parametrize("meaning", ["scores", "boxes", "points5"])
def test_a_detector_without_an_output_is_refused(meaning: str) -> None:
    contract = make_contract("detect")
    kept = tuple(s for s in contract.outputs if (s.meaning, s.stride) != (meaning, 16))
    if meaning == "scores":
        kept = tuple(s for s in contract.outputs if s.meaning != "scores")
    contract = dataclasses.replace(contract, outputs=kept)
    with pytest.raises(BundleError):
        DetectStage(ScriptedEngine(contract), contract)


def test_a_detector_of_another_grid_is_refused() -> None:
    contract = make_contract("detect")
    spec = dataclasses.replace(contract.inputs[0], shape=(1, 640, 640, 3))
    contract = dataclasses.replace(contract, inputs=(spec,))
    with pytest.raises(BundleError, match="not \\(1, 6400, 1\\)"):
        DetectStage(ScriptedEngine(contract), contract)


# Mask and emotion


def test_the_likeliest_label_and_its_probability() -> None:
    contract = dataclasses.replace(make_contract("mask"), temperature=2.0)
    stage = MaskStage(ScriptedEngine(contract, np.array([1.0, 3.0, -1.0])), contract)
    found = stage(make_frame(), FACE)
    assert found.state == "unmasked"
    power = np.exp([0.5, 1.5, -0.5])
    assert found.score == pytest.approx(power[1] / power.sum(), abs=1e-6)


@given(st.lists(st.integers(-128, 127), min_size=3, max_size=3), st.floats(0.5, 3))
def test_eight_bit_logits_say_what_their_real_values_do(
    stored: list[int], temperature: float
) -> None:
    contract = dataclasses.replace(make_contract("mask"), temperature=temperature)
    spec, logits = contract.outputs[0], np.array([stored], np.int8)
    assert spec.dtype == "int8"
    label, score = Labels(contract).likeliest(logits)
    real = spec.to_real(logits).ravel() / np.float32(temperature)
    power = np.exp(real - real.max())
    assert label == contract.labels[int(np.argmax(power))]
    assert score == float(power.max() / power.sum())


def test_emotion_has_the_contracts_labels() -> None:
    contract = make_contract("emotion")
    stage = EmotionStage(ScriptedEngine(contract, np.arange(7)), contract)
    assert stage(make_frame(), FACE).label == EMOTIONS[-1]


@pytest.mark.parametrize(
    "labels",
    [("masked", "unmasked"), ("masked", "masked", "unmasked"), ("masked", "unmasked", "maybe")],
)
def test_labels_that_do_not_fit_are_refused(labels: tuple[str, ...]) -> None:
    contract = dataclasses.replace(make_contract("mask"), labels=labels)
    with pytest.raises(BundleError, match="3 logits and the labels"):
        MaskStage(ScriptedEngine(contract), contract)


# Identity


@given(st.lists(st.integers(-100, 100), min_size=128, max_size=128))
def test_an_embedding_has_length_one(values: list[int]) -> None:
    contract = make_contract("identity")
    engine = ScriptedEngine(contract, np.array(values) / 16)
    stage = IdentifyStage(engine, contract)
    found = stage.decode()
    length = 1.0 if any(values) else 0.0
    assert found.shape == (128,) and found.dtype == np.float32
    assert float(np.linalg.norm(found)) == pytest.approx(length, abs=1e-5)
    kept = found.copy()
    engine.outputs[0][:] = 1  # the next face
    assert np.array_equal(found, kept)


# Reconstruction


def reconstruct(covered: NDArray[np.float64], painted: float) -> tuple[Any, Any, Any]:
    """Return the stage after a run, with its engines for the map and for the painting."""
    found, edit = make_contract("map"), make_contract("edit")
    map_engine = ScriptedEngine(found, covered)
    edit_engine = ScriptedEngine(edit, np.full((128, 128, 3), painted))
    stage = ReconstructStage(map_engine, found, edit_engine=edit_engine, edit_contract=edit)
    return stage, map_engine, edit_engine


def test_paints_what_is_covered_and_keeps_every_other_byte() -> None:
    stage, map_engine, edit_engine = reconstruct(half_covered(), 100 / 256)
    painting = stage(make_frame(), FACE)
    crop = map_engine.inputs[0][0].view(np.uint8) ^ 0x80
    covered = np.zeros((128, 128), bool)
    covered[68:112, 28:102] = True  # two pixels more on each side, the speck gone
    assert np.array_equal(painting.map_u8 > 0, covered)
    assert set(np.unique(painting.map_u8)) == {0, 255}
    assert (painting.image_bgr[covered] == 100).all()
    assert np.array_equal(painting.image_bgr[~covered], crop[~covered])
    # What the painter saw: grey where covered, the map beside it.
    image, seen = edit_engine.inputs
    assert (image[0][covered] == 0).all()
    assert np.array_equal(image[0][~covered], map_engine.inputs[0][0][~covered])
    assert np.array_equal(seen[0, ..., 0], np.where(covered, 127, -128))
    np.testing.assert_array_equal(painting.matrix, crop_matrix(stage.contract, (240, 320), FACE))


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [("int8", 1 / 256, -128), ("int8", 1 / 255, -128), ("int8", 1 / 256, -127),
     ("uint8", 1 / 256, 0), ("float32", 1.0, 0)],
)  # fmt: skip
def test_painted_pixels_are_the_values_whatever_stores_them(
    dtype: str, scale: float, zero_point: int
) -> None:
    found, edit = make_contract("map"), make_contract("edit")
    (spec,) = edit.outputs
    spec = dataclasses.replace(spec, dtype=dtype, scale=scale, zero_point=zero_point)
    edit = dataclasses.replace(edit, outputs=(spec,))
    values = np.linspace(-0.1, 1.1, 128 * 128 * 3).reshape(128, 128, 3)
    edit_engine = ScriptedEngine(edit, values)
    stage = ReconstructStage(
        ScriptedEngine(found, half_covered()), found, edit_engine=edit_engine, edit_contract=edit
    )
    painting = stage(make_frame(), FACE)
    assert painting is not None
    covered = painting.map_u8 > 0
    told = to_bytes(spec.to_real(edit_engine.outputs[0]))[0]
    assert np.array_equal(painting.image_bgr[covered], told[covered])


def test_a_painting_outlives_the_next_face() -> None:
    stage, *_ = reconstruct(half_covered(), 0.5)
    first = stage(make_frame(seed=1), FACE)
    image, covered = first.image_bgr.copy(), first.map_u8.copy()
    stage(make_frame(seed=2), FACE)
    assert np.array_equal(first.image_bgr, image) and np.array_equal(first.map_u8, covered)


def test_nothing_covered_is_nothing_painted() -> None:
    stage, _, edit_engine = reconstruct(np.full((128, 128), 0.4), 0.5)
    assert stage(make_frame(), FACE) is None
    assert edit_engine.runs == 0


def test_specks_are_no_mask() -> None:
    values = np.zeros((32, 32), np.float32)
    values[5:7, 5:20] = 1  # two pixels high
    assert not covered_map(values, threshold=0.5).any()
    values[10:13, 10:13] = 0.5  # three by three, just at the threshold
    assert (covered_map(values, threshold=0.5) > 0).sum() == 49


def test_networks_on_different_crops_are_refused() -> None:
    found, edit = make_contract("map"), make_contract("edit")
    other = dataclasses.replace(edit, crop=dataclasses.replace(edit.crop, scale=0.7))
    with pytest.raises(BundleError, match="do not fit together"):
        ReconstructStage(
            ScriptedEngine(found), found, edit_engine=ScriptedEngine(other), edit_contract=other
        )
