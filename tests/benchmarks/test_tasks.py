from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.faces import FaceFinder, spread, whole_picture
from benchmarks.metrics import psnr
from benchmarks.packs import Pack
from benchmarks.tasks import detect, emotion, identity, mask, reconstruct
from benchmarks.tasks.boxes import match
from benchmarks.tasks.pair_folder import PairFolder
from edge.engines.null import NullEngine
from edge.errors import DataError, MissingInput
from edge.frames import Frame
from edge.geometry import crop_template, similarity_matrix, warp
from edge.results import Painting
from edge.stages import (
    DetectStage,
    EmotionStage,
    IdentifyStage,
    MaskStage,
    ReconstructStage,
)
from tests.benchmarks.makers import BrightnessEngine, flat_picture, write_pack
from tests.makers import make_contract

SMALL = 48  # under 64 pixels: taken as the face itself, no detector needed
BRIGHT, DARK = flat_picture(250, SMALL), flat_picture(5, SMALL)


@pytest.fixture
def finder() -> FaceFinder:
    contract = make_contract("detect")
    return FaceFinder(DetectStage(NullEngine(contract), contract))


def test_mask_counts_two_states_and_three(finder: FaceFinder, tmp_path: Path) -> None:
    contract = make_contract("mask")
    assert contract.labels[:2] == ("masked", "unmasked")
    stage = MaskStage(BrightnessEngine(contract), contract)
    pictures = {"hit": BRIGHT, "miss": DARK, "bare": DARK, "odd": BRIGHT, "drawn": BRIGHT}
    labels = ["masked", "masked", "unmasked", "incorrect", "masked"]
    rows = [
        {"file": name, "label": label, "split": "test", "real": int(name != "drawn"), "source": "s"}
        for name, label in zip(pictures, labels, strict=True)
    ]
    pack = Pack.open(write_pack(tmp_path, pictures, rows))
    figures = mask.evaluate(finder, stage, pack)
    assert (figures.n, figures.as_face) == (5, 5)
    assert figures.measures["accuracy"].value == pytest.approx(2 / 3)
    assert figures.measures["accuracy3"].value == pytest.approx(2 / 4)
    assert figures.measures["accuracy_drawn"].value == 1.0
    assert figures.measures["accuracy_s"].n == 3
    confusion = figures.details["confusion"]
    assert confusion == {
        "masked": {"masked": 1, "unmasked": 1, "incorrect": 0},
        "unmasked": {"masked": 0, "unmasked": 1, "incorrect": 0},
        "incorrect": {"masked": 1, "unmasked": 0, "incorrect": 0},
    }
    report = json.loads(json.dumps(figures.to_json()))
    assert report["accuracy_ci95"][0] < report["accuracy"] < report["accuracy_ci95"][1]


def test_mask_reads_class_folders_and_refuses_other_classes(
    finder: FaceFinder, tmp_path: Path
) -> None:
    contract = make_contract("mask")
    stage = MaskStage(BrightnessEngine(contract), contract)
    for label, picture in (("masked", BRIGHT), ("unmasked", DARK)):
        (tmp_path / label).mkdir()
        cv2.imwrite(str(tmp_path / label / "x.png"), picture)
    assert mask.evaluate(finder, stage, Pack.open(tmp_path)).measures["accuracy"].value == 1.0
    (tmp_path / "masked").rename(tmp_path / "with_mask")
    with pytest.raises(DataError, match="label 'with_mask'"):
        mask.evaluate(finder, stage, Pack.open(tmp_path))


def test_emotion_leaves_out_what_has_no_label(finder: FaceFinder, tmp_path: Path) -> None:
    contract = make_contract("emotion")
    stage = EmotionStage(BrightnessEngine(contract), contract)
    first, second = contract.labels[:2]
    rows = [
        {"file": "a", "split": "test", "ferplus_majority": first, "near_dup": 0},
        {"file": "b", "split": "test", "ferplus_majority": first, "near_dup": 1},
        {"file": "c", "split": "test", "ferplus_majority": "contempt", "near_dup": 0},
        {"file": "d", "split": "test", "ferplus_majority": "", "near_dup": 0},
        {"file": "e", "split": "test", "ferplus_majority": second, "near_dup": 0},
    ]
    pictures = dict(zip("abcde", [BRIGHT, DARK, DARK, DARK, DARK], strict=True))
    figures = emotion.evaluate(finder, stage, Pack.open(write_pack(tmp_path, pictures, rows)))
    assert figures.n == 3
    assert figures.details["left_out"] == 2
    assert figures.measures["accuracy"].value == pytest.approx(2 / 3)
    assert figures.measures["accuracy_distinct"].value == 1.0
    assert figures.measures[f"recall_{first}"].value == 0.5


def test_identity_judges_pairs_by_cosine(finder: FaceFinder, tmp_path: Path) -> None:
    contract = make_contract("identity")
    embedder = identity.Embedder(finder, IdentifyStage(BrightnessEngine(contract), contract))
    pictures = {"a1": BRIGHT, "a2": BRIGHT, "b1": DARK, "b2": DARK}
    pairs = [
        {"a": a, "b": b, "same": int(a[0] == b[0]), "fold": fold}
        for fold in (1, 2)
        for a, b in (("a1", "a2"), ("b1", "b2"), ("a1", "b1"), ("a2", "b2"))
    ]
    rows = [{"file": name, "person": name[0], "split": "test"} for name in pictures]
    pack = Pack.open(write_pack(tmp_path, pictures, rows, pairs=pairs))
    figures = identity.evaluate(embedder, pack)
    assert figures.n == 8
    assert figures.measures["accuracy"].value == 1.0
    assert figures.measures["eer"].value == 0.0
    (tmp_path / "pairs.csv").write_text("a,b,same,fold\na1,nobody,1,1\n")
    with pytest.raises(DataError, match="nobody"):
        identity.evaluate(embedder, pack)


def test_masked_faces_take_the_other_route(finder: FaceFinder, tmp_path: Path) -> None:
    contracts = {task: make_contract(task) for task in ("mask", "identity", "identity-masked")}
    embedder = identity.Embedder(
        finder,
        IdentifyStage(BrightnessEngine(contracts["identity"]), contracts["identity"]),
        masked=IdentifyStage(
            NullEngine(contracts["identity-masked"]), contracts["identity-masked"]
        ),
        mask=MaskStage(BrightnessEngine(contracts["mask"]), contracts["mask"]),
    )
    pictures = {"worn": BRIGHT, "bare": DARK}
    pack = Pack.open(write_pack(tmp_path, pictures, [{"file": n} for n in pictures]))
    assert not embedder.embed(pack, {"file": "worn"}).any()  # the null route gives zeros
    assert embedder.embed(pack, {"file": "bare"}).any()
    assert embedder.masked_faces == 1


def test_detections_go_to_the_best_free_face() -> None:
    faces = np.array([[0.0, 0, 10, 10], [100, 0, 10, 10], [200, 0, 10, 10]])
    found = np.array(
        [
            [1.0, 0, 10, 10],  # hits the first face
            [0.0, 1, 10, 10],  # the same face again: false
            [100.0, 0, 10, 4],  # overlaps the second by 0.4 only: false
            [300.0, 0, 10, 10],  # lies on an ignored box
        ]
    )
    ignored = np.array([[295.0, -5, 30, 30]])
    matched = match(found, np.array([0.9, 0.8, 0.7, 0.6]), faces, ignored)
    assert matched.found.tolist() == [True, False, False]
    assert matched.false == 2
    assert matched.scores.tolist() == [0.9, 0.8, 0.7]


def test_detect_on_pictures_without_faces(tmp_path: Path) -> None:
    contract = make_contract("detect")
    stage = DetectStage(NullEngine(contract), contract)
    rows = [
        {"file": "full", "x": 1, "y": 1, "w": 9, "h": 9, "label": "face", "split": "test"},
        {"file": "bare", "x": "", "y": "", "w": "", "h": "", "label": "", "split": "test"},
    ]
    pack = Pack.open(write_pack(tmp_path, {"full": BRIGHT, "bare": DARK}, rows))
    found = len(stage(Frame(DARK, 0, 0, "test")))
    figures = detect.evaluate(stage, pack)
    assert figures.measures["recall"].n == 1
    assert figures.measures["empty_clean"].n == 1
    assert figures.measures["empty_clean"].value == float(found == 0)


def test_a_painting_goes_back_where_it_came_from() -> None:
    rng = np.random.default_rng(3)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (120, 100, 3), dtype=np.uint8), (0, 0), 4)
    points = whole_picture(smooth).points_5x2
    matrix = similarity_matrix(points, crop_template(128, scale=0.8))
    crop = np.zeros((128, 128, 3), np.uint8)
    warp(smooth, matrix, crop)
    covered = np.zeros((128, 128), np.uint8)
    covered[50:90, 40:90] = 255
    hidden = smooth.copy()
    inverse = cv2.invertAffineTransform(matrix)
    region = cv2.warpAffine(covered, inverse, (100, 120)) >= 128
    hidden[region] = 0
    result = reconstruct.paste(hidden, Painting(crop, covered, matrix))
    assert psnr(smooth, result) > 40
    np.testing.assert_array_equal(result[~region], smooth[~region])


def test_reconstruct_reads_folders_of_pairs(finder: FaceFinder, tmp_path: Path) -> None:
    for side, brightness in (("clean", 100), ("masked", 110)):
        (tmp_path / side).mkdir()
        cv2.imwrite(str(tmp_path / side / "x.png"), flat_picture(brightness, SMALL))
    map_contract, edit_contract = make_contract("map"), make_contract("edit")
    stage = ReconstructStage(
        NullEngine(map_contract),
        map_contract,
        edit_engine=NullEngine(edit_contract),
        edit_contract=edit_contract,
    )
    figures = reconstruct.evaluate(finder, stage, PairFolder(tmp_path), data="pairs")
    assert figures.measures["psnr_masked"].value == pytest.approx(28.13, abs=0.01)
    assert "iou" not in figures.measures
    cv2.imwrite(str(tmp_path / "clean" / "y.png"), BRIGHT)
    with pytest.raises(DataError, match=r"'y\.png' has no partner"):
        PairFolder(tmp_path)
    for path in (tmp_path / "masked").iterdir():
        path.unlink()
    with pytest.raises(MissingInput, match="no folders clean and masked"):
        PairFolder(tmp_path)


def test_a_limit_spreads_over_the_whole() -> None:
    assert spread(list(range(10)), 3) == [0, 3, 6]
    assert spread([1, 2], 5) == spread([1, 2], None) == [1, 2]
