"""Each network's decoding is undone here by hand: a face is written into outputs and read again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.foreign import aizoo, boxes, mobilefacenet, ultralight, xception, yunet
from benchmarks.foreign.aizoo import Aizoo
from benchmarks.foreign.mobilefacenet import MobileFaceNet
from benchmarks.foreign.pfld import Pfld
from benchmarks.foreign.picture import Arrays, Picture, fitted, rectangle, stretched
from benchmarks.foreign.ultralight import UltraLight
from benchmarks.foreign.xception import Xception
from benchmarks.foreign.yunet import YuNet
from edge.errors import DataError
from edge.frames import Frame
from edge.geometry import ARCFACE_112
from edge.results import Detection

SHARES = st.floats(0.2, 0.8)
FEW = settings(max_examples=20)


def _frame(height: int = 240, width: int = 320, brightness: int = 0) -> Frame:
    return Frame(np.full((height, width, 3), brightness, np.uint8), 0, 0, "made")


def _never(inputs: Arrays) -> Arrays:
    raise AssertionError("not to be run")


def _yunet_outputs(
    size: tuple[int, int], box: np.ndarray, points: np.ndarray, *, stride: int, score: float
) -> Arrays:
    """Write one face, in input pixels, into the cell that its centre lies in."""
    parts: list[list[np.ndarray]] = [[], [], [], []]
    for s in (8, 16, 32):
        rows, columns = size[0] // s, size[1] // s
        grid = [np.zeros((1, rows * columns, width), np.float32) for width in (1, 1, 4, 10)]
        if s == stride:
            centre = (box[:2] + box[2:] / 2) / s
            cell = np.floor(centre)
            place = int(cell[1] * columns + cell[0])
            grid[0][0, place] = score
            grid[1][0, place] = score
            grid[2][0, place] = [*(centre - cell), *np.log(box[2:] / s)]
            grid[3][0, place] = (points / s - cell).ravel()
        for part, array in zip(parts, grid, strict=True):
            part.append(array)
    return tuple(array for part in parts for array in part)


@FEW
@given(x=SHARES, y=SHARES, side=st.floats(10, 100), stride=st.sampled_from(yunet.STRIDES))
@pytest.mark.parametrize("border", [0.0, 0.25])
def test_yunet_reads_back_a_face(
    border: float, x: float, y: float, side: float, stride: int
) -> None:
    """The frame of 240x320 is fitted, with its border, into 160x160."""
    zoom = 160 / (320 * (1 + 2 * border))
    margin = np.array([320, 240]) * border
    face = np.array([x * 320 - side / 2, y * 240 - side / 2, side, side * 1.2])
    points = face[:2] + ARCFACE_112 / 112 * side
    placed = np.concatenate([(face[:2] + margin) * zoom, face[2:] * zoom])

    def run(inputs: Arrays) -> Arrays:
        assert inputs[0].shape == (1, 160, 160, 3)
        return _yunet_outputs(
            (160, 160), placed, (points + margin) * zoom, stride=stride, score=0.8
        )

    (found,) = YuNet(run, (160, 160), border=border)(_frame())
    assert found.score == pytest.approx(0.8)
    np.testing.assert_allclose(found.box_xywh, face, atol=1e-2)
    np.testing.assert_allclose(found.points_5x2, points, atol=1e-2)


def test_yunet_takes_any_size_up_to_the_next_32_and_does_not_enlarge_unasked() -> None:
    frame = _frame(50, 70, brightness=9)
    (values,) = YuNet(_never, None).prepare(frame)
    assert values.shape == (1, 64, 96, 3)
    assert (values[0, :50, :70] == 9).all()
    assert values.sum() == 50 * 70 * 3 * 9
    (kept,) = YuNet(_never, (96, 96), enlarge=False).prepare(frame)
    assert kept.sum() == 50 * 70 * 3 * 9
    (grown,) = YuNet(_never, (96, 96)).prepare(frame)
    assert (grown[0, 5:60, 5:90] == 9).all()


def test_yunet_clamps_scores_and_drops_what_is_no_box() -> None:
    box, points = np.array([40.0, 40, 30, 30]), np.zeros((5, 2))

    def outputs(score: float) -> Arrays:
        return _yunet_outputs((160, 160), box, points, stride=8, score=score)

    assert YuNet(lambda x: outputs(5.0), (160, 160))(_frame())[0].score == 1.0
    assert YuNet(lambda x: outputs(0.5), (160, 160))(_frame()) == []
    broken = outputs(0.9)
    broken[6][...] = np.nan
    assert YuNet(lambda x: broken, (160, 160))(_frame()) == []


@pytest.mark.parametrize(("height", "width", "count"), [(240, 320, 4420), (480, 640, 17640)])
def test_ultralight_has_as_many_priors_as_its_file_has_boxes(
    height: int, width: int, count: int
) -> None:
    priors = ultralight.priors(height, width)
    assert priors.shape == (count, 4)
    assert priors.min() >= 0
    assert priors.max() <= 1


def test_aizoo_has_as_many_anchors_as_its_file_has_boxes() -> None:
    anchors = aizoo.anchors()
    assert anchors.shape == (5972, 4)
    # Four a cell, in this order: both squares, then wide by 0.62 and by 0.42 of the height.
    ratios = anchors[:4, 2] / anchors[:4, 3]
    np.testing.assert_allclose(ratios, [1, 1, 0.62, 0.42], rtol=1e-6)
    np.testing.assert_allclose(anchors[4, :2], [1.5 / 33, 0.5 / 33], rtol=1e-6)


def _offsets(face: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Encode a box, left, top, width, height as shares, against a prior."""
    centre = face[:2] + face[2:] / 2
    return np.concatenate(
        [(centre - prior[:2]) / (0.1 * prior[2:]), np.log(face[2:] / prior[2:]) / 0.2]
    )


@FEW
@given(x=SHARES, y=SHARES, width=st.floats(0.05, 0.3), place=st.integers(0, 4419))
def test_ultralight_reads_back_a_face_from_offsets_and_from_boxes(
    x: float, y: float, width: float, place: int
) -> None:
    face = np.array([x - width / 2, y - width / 2, width, width])
    scores = np.zeros((1, 4420, 2), np.float32)
    scores[0, place, 1] = 0.9
    encoded, decoded = np.zeros((2, 1, 4420, 4), np.float32)
    encoded[0, place] = _offsets(face, ultralight.priors(240, 320)[place])
    decoded[0, place] = [*face[:2], *(face[:2] + face[2:])]
    wanted = face * [640, 480, 640, 480]
    for outputs, is_decoded in (
        ((scores, decoded), True),
        ((scores, encoded), False),
        ((encoded, scores), False),  # the TFLite file has the boxes first
    ):
        network = UltraLight(lambda x, o=outputs: o, (240, 320), decoded=is_decoded)
        (found,) = network(_frame(480, 640))
        np.testing.assert_allclose(found.box_xywh, wanted, atol=0.05)


def test_the_masked_network_counts_both_kinds_of_face_and_tells_them_apart() -> None:
    scores, corners = np.zeros((1, 2, 3), np.float32), np.zeros((1, 2, 4), np.float32)
    scores[0] = [[0.1, 0.7, 0.2], [0.05, 0.05, 0.9]]
    corners[0] = [[0, 0, 0.2, 0.2], [0.5, 0.5, 0.9, 0.9]]
    network = UltraLight(lambda x: (scores, corners), (480, 640), decoded=True)
    assert [round(f.score, 3) for f in network(_frame())] == [0.9, 0.7]
    assert network.wears_mask(_frame())
    scores[0, 1] = 0
    assert not network.wears_mask(_frame())


@FEW
@given(x=SHARES, y=SHARES, place=st.integers(0, 5971))
def test_aizoo_reads_back_a_face_and_whether_it_is_masked(x: float, y: float, place: int) -> None:
    face = np.array([x - 0.1, y - 0.1, 0.2, 0.2])
    offsets = np.zeros((1, 5972, 4), np.float32)
    offsets[0, place] = _offsets(face, aizoo.anchors()[place])
    for masked in (0, 1):
        scores = np.zeros((1, 5972, 2), np.float32)
        scores[0, place, masked] = 0.8
        network = Aizoo(lambda x, s=scores: (offsets, s))
        (found,) = network(_frame())
        np.testing.assert_allclose(found.box_xywh, face * [320, 240, 320, 240], atol=0.05)
        assert network.wears_mask(_frame()) == (masked == 0)


def test_overlapping_boxes_are_one_face_with_points_where_an_upright_one_has_them() -> None:
    xywh = np.array([[0, 0, 112, 112], [4, 0, 112, 112], [200, 0, 50, 50]], np.float32)
    found = boxes.faces(xywh, np.array([0.8, 0.9, 0.7], np.float32), threshold=0.6, iou=0.4)
    assert [f.box_xywh[0] for f in found] == [4, 200]
    np.testing.assert_allclose(found[0].points_5x2, ARCFACE_112 + np.array([4, 0]), atol=1e-3)


def test_pfld_gives_points_in_pixels_of_the_frame() -> None:
    shares = np.zeros((1, 136), np.float32)
    shares[0, :4] = 0.5, 0.5, 0.0, 1.0
    box = np.array([100, 60, 40, 80], np.float32)
    face = Detection(box, 1.0, boxes.inside(box))
    points = Pfld(lambda x: (shares,))(_frame(), face)
    # A square of 1.1 x 80 round (120, 100).
    np.testing.assert_allclose(points[:2], [[120, 100], [76, 144]], atol=1e-3)


@pytest.mark.parametrize("picture", [mobilefacenet.PICTURE, mobilefacenet.NARROW])
def test_mobilefacenet_aligns_a_face_to_the_template(picture: Picture) -> None:
    """A frame that is the aligned crop goes in as it is; the narrow network sees its middle."""
    pixels = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    face = Detection(np.zeros(4, np.float32), 1.0, ARCFACE_112.astype(np.float32))
    (values,) = MobileFaceNet(_never, picture).prepare(Frame(pixels, 0, 0, "made"), face)
    rgb = values[0] * picture.std + picture.mean
    cut = (112 - picture.width) // 2
    wanted = pixels[:, cut : 112 - cut, ::-1].astype(np.float32)
    assert np.abs(rgb - wanted).max() < 6  # the template has four decimals: a hair off the grid
    embedding = MobileFaceNet(lambda x: (np.full((1, 128), 3, np.float32),), picture)(
        Frame(pixels, 0, 0, "made"), face
    )
    assert np.linalg.norm(embedding) == pytest.approx(1)
    with pytest.raises(DataError, match="not finite"):
        MobileFaceNet(lambda x: (np.full((1, 128), np.nan, np.float32),))(_frame(), face)


def test_xception_sees_the_widened_box_in_grey() -> None:
    frame = _frame(brightness=255)
    frame.image[50:100, 60:100] = 0
    face = Detection(np.array([60, 50, 40, 50], np.float32), 1.0, np.zeros((5, 2), np.float32))
    shares = np.array([[0.1, 0.9]], np.float32)
    network = Xception(lambda x: (shares,), xception.GENDERS)
    (values,) = network.prepare(frame, face)
    assert values.shape == (1, 64, 64, 1)
    assert values[0, 2:-2, 2:-2].max() == -1  # the box itself
    (wide,) = Xception(_never, xception.GENDERS, widen_px=(20, 20)).prepare(frame, face)
    assert wide[0, :8].min() == 1  # and what is round it
    assert wide[0, 32, 32] == -1
    assert network(frame, face).label == "male"


def test_a_frame_is_fitted_and_squeezed() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, 100:] = 200
    pixels, zoom = fitted(image, (64, 64))
    assert zoom == pytest.approx(0.32)
    assert pixels[16, 10].max() == 0
    assert pixels[16, 50].min() == 200
    assert pixels[40:].max() == 0
    halves = stretched(image, (32, 64))
    assert halves[:, :30].max() == 0
    assert halves[:, 34:].min() == 200
    assert rectangle(image, [100, 0, 200, 100], (8, 8)).min() == 200  # the border goes on


@FEW
@given(st.sampled_from([0.0, 114.0, 127.0, 127.5]), st.sampled_from([1.0, 58.0, 127.5, 255.0]))
def test_a_picture_is_its_bytes_less_the_mean(mean: float, std: float) -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    for colour, channels in (("BGR", 3), ("RGB", 3), ("GREY", 1)):
        picture = Picture(16, 16, colour, mean, std)
        real = picture.real(pixels)
        assert real.shape == picture.shape == (1, 16, 16, channels)
        wanted = (np.arange(256, dtype=np.float32) - mean) / std
        np.testing.assert_allclose(real[0, :, :, 0].ravel(), wanted, rtol=1e-6, atol=1e-6)
