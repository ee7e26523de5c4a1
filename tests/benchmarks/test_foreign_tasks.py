from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks.faces import FaceFinder
from benchmarks.foreign import catalogue, mask_state
from benchmarks.foreign.network import Feed, Network
from benchmarks.foreign.picture import Arrays, Picture
from benchmarks.foreign.trials import FINDER, face_finder, never
from benchmarks.foreign.xception import GENDERS, Label
from benchmarks.packs import Pack
from benchmarks.tasks import gender, landmarks
from edge.errors import DataError
from edge.frames import Frame
from edge.results import Detection
from tests.benchmarks.makers import flat_picture, write_pack

WHOLE = FaceFinder(lambda frame: [])


def _true_points(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(10, 90, (count, 3))


def _landmark_pack(folder: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """Write two pictures with 68 points and one with 29, of which two have partners."""
    pictures = {name: flat_picture(i) for i, name in enumerate(("a", "b", "c"))}
    rows = [
        {"file": name, "source": "far" if name == "b" else "near", "split": "test"}
        for name in pictures
    ]
    write_pack(folder, pictures, rows)
    full, few = np.stack([_true_points(68, 1), _true_points(68, 2)]), _true_points(29, 3)[None]
    np.savez(folder / "points68.npz", points=full, names=np.array(["a", "b"]))
    np.savez(folder / "points29.npz", points=few[..., :2], names=np.array(["c"]))
    with (folder / "map29.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["i29", "i68a", "i68b"], [0, 17, 17], [12, 37, 38]])
    return folder, full, few


def test_landmarks_are_judged_by_the_distance_of_the_eyes(tmp_path: Path) -> None:
    folder, full, few = _landmark_pack(tmp_path)
    answers = {"a": full[0, :, :2].copy(), "b": full[1, :, :2].copy()}
    answers["b"] += [3, 4]  # five pixels off, every point
    answers["c"] = np.zeros((68, 2))
    answers["c"][17] = few[0, 0, :2]
    answers["c"][37] = few[0, 12, :2] + [2, 0]  # the mean of 37 and 38 is one pixel off
    answers["c"][38] = few[0, 12, :2]

    def stage(frame: Frame, detection: Detection) -> np.ndarray:
        return answers[frame.source.rpartition("/")[2]].astype(np.float32)

    figures = landmarks.evaluate(WHOLE, stage, Pack.open(folder))
    eyes = np.linalg.norm(full[1, 36, :2] - full[1, 45, :2])
    eyes29 = np.linalg.norm(few[0, 8, :2] - few[0, 9, :2])
    assert figures.n == 3
    assert figures.as_face == 3
    assert figures.measures["nme_far"].value == pytest.approx(5 / eyes, rel=1e-5)
    assert figures.measures["nme_near"].value == pytest.approx(0.5 / eyes29 / 2, rel=1e-4)
    wanted = (5 / eyes + 0.5 / eyes29) / 3
    assert figures.measures["nme"].value == pytest.approx(wanted, rel=1e-4)
    assert figures.measures["failures"].value == pytest.approx((5 / eyes > 0.1) / 3)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("points68.npz", {"points": np.zeros((2, 67, 3)), "names": np.array(["a", "b"])}),
        ("points68.npz", {"points": np.zeros((1, 68, 3)), "names": np.array(["a", "b"])}),
        ("points68.npz", {"names": np.array(["a", "b"])}),
        ("points68.npz", {"points": np.zeros((2, 68, 1)), "names": np.array(["a", "b"])}),
        ("points68.npz", {"points": np.full((2, 68, 2), "x"), "names": np.array(["a", "b"])}),
        ("points68.npz", {"points": np.full((2, 68, 2), np.nan), "names": np.array(["a", "b"])}),
        ("points of 'a'", {"points": np.zeros((2, 68, 2)), "names": np.array(["a", "b"])}),
        ("map29.csv", "i29,i68a,i68b\n29,0,0\n"),
        ("map29.csv", "i29,i68a,i68b\n0,0,68\n"),
        ("map29.csv", "i29,i68a,i68b\nnose,0,0\n"),
        ("map29.csv", "i29,i68a\n0,0\n"),
    ],
)
def test_damaged_landmarks_are_refused(tmp_path: Path, name: str, broken: object) -> None:
    folder, _, _ = _landmark_pack(tmp_path)
    if isinstance(broken, str):
        (folder / name).write_text(broken)
    else:
        np.savez(folder / "points68.npz", **broken)
    with pytest.raises(DataError, match=name.partition(".")[0]):
        landmarks.evaluate(WHOLE, lambda f, d: np.zeros((68, 2), np.float32), Pack.open(folder))


class _Bright:
    """Says ``female`` of bright pictures."""

    labels = GENDERS

    def __call__(self, frame: Frame, detection: Detection) -> Label:
        return Label("female" if frame.image.mean() > 128 else "male", 1.0)


def test_gender_is_counted_by_age(tmp_path: Path) -> None:
    pictures = {"w": flat_picture(250), "m": flat_picture(5), "child": flat_picture(5)}
    rows = [
        {"file": "w", "gender": "female", "age": 40, "split": "test"},
        {"file": "m", "gender": "male", "age": 10, "split": "test"},
        {"file": "child", "gender": "female", "age": 9, "split": "test"},
    ]
    figures = gender.evaluate(WHOLE, _Bright(), Pack.open(write_pack(tmp_path, pictures, rows)))
    assert figures.measures["accuracy"].value == pytest.approx(2 / 3)
    assert figures.measures["accuracy_age10"].value == 1.0
    assert figures.measures["recall_female"].value == 0.5
    rows[0]["age"] = "old"
    with pytest.raises(DataError, match="age 'old'"):
        gender.evaluate(WHOLE, _Bright(), Pack.open(write_pack(tmp_path, pictures, rows)))


class _MaskOfBright:
    def wears_mask(self, frame: Frame) -> bool:
        return bool(frame.image.mean() > 128)


def test_the_mask_state_of_a_detector_counts_real_masks_only(tmp_path: Path) -> None:
    pictures = {n: flat_picture(250) for n in ("hit", "drawn", "odd", "wrong")}
    pictures["bare"] = flat_picture(5)
    labels = {"hit": "masked", "drawn": "masked", "odd": "incorrect", "wrong": "unmasked",
              "bare": "unmasked"}  # fmt: skip
    rows = [
        {"file": n, "label": labels[n], "real": int(n != "drawn"), "split": "test", "source": "s"}
        for n in pictures
    ]
    pack = Pack.open(write_pack(tmp_path, pictures, rows))
    figures = mask_state.evaluate(_MaskOfBright(), pack)
    assert figures.n == 3
    assert figures.details["left_out"] == 2
    assert figures.measures["accuracy"].value == pytest.approx(2 / 3)
    assert figures.measures["recall_unmasked"].value == 0.5
    rows = [{**row, "label": "incorrect"} for row in rows]
    with pytest.raises(DataError, match="no real picture"):
        mask_state.evaluate(_MaskOfBright(), Pack.open(write_pack(tmp_path, pictures, rows)))


def test_inputs_come_from_the_training_split_of_each_feed_in_turn(tmp_path: Path) -> None:
    for name, brightness in (("dark", 10), ("light", 200)):
        pictures = {str(i): flat_picture(brightness) for i in range(3)}
        pictures["judged"] = flat_picture(99)
        rows = [{"file": n, "split": "test" if n == "judged" else "train"} for n in pictures] * (
            2 if name == "light" else 1
        )  # several rows a picture, one picture all the same
        write_pack(tmp_path / name, pictures, rows)

    def prepare(frame: Frame, pack: Pack, finder: FaceFinder) -> Arrays:
        return (np.full((1, 1, 1, 3), frame.image.mean(), np.float32),)

    feeds = tuple(Feed(name, "train", prepare) for name in ("dark", "light"))
    network = Network("n", "n.onnx", "0" * 64, "", Picture(1, 1, "BGR", 0, 1), (), feeds)
    seen = [int(values.mean()) for (values,) in network.inputs(tmp_path, WHOLE, 99)]
    assert seen == [10, 200, 10, 200, 10, 200]
    assert len(list(network.inputs(tmp_path, WHOLE, 3))) == 3


@pytest.mark.parametrize("network", catalogue.NETWORKS, ids=lambda n: n.name)
def test_the_catalogue_calibrates_on_nothing_that_it_judges(network: Network) -> None:
    assert network.trials
    assert len(network.sha256) == 64
    assert network.stays or network.feeds
    assert {feed.split for feed in network.feeds} <= {"train"}


def test_the_catalogue_names_every_network_once() -> None:
    names = [n.name for n in catalogue.NETWORKS] + [a.name for a in catalogue.ABSENT]
    assert len(set(names)) == len(names)
    assert len({n.sha256 for n in catalogue.NETWORKS}) == len(catalogue.NETWORKS)
    assert FINDER in {n.file for n in catalogue.NETWORKS}
    assert all(gone.reason for gone in catalogue.ABSENT)


@pytest.mark.parametrize(
    "network", [n for n in catalogue.NETWORKS if n.feeds], ids=lambda n: n.name
)
def test_what_is_fed_has_the_shape_that_the_network_reads(network: Network, tmp_path: Path) -> None:
    pictures = {"one": flat_picture(90), "other": flat_picture(160)}
    rows = [{"file": n, "split": "train"} for n in pictures]
    points = np.array([[[30, 40], [60, 40], [45, 55], [32, 70], [58, 70]]] * 2, np.float32)
    for feed in network.feeds:
        write_pack(tmp_path / feed.pack, pictures, rows, points5=points)
    made = list(network.inputs(tmp_path, WHOLE, 2))
    assert [values.shape for (values,) in made] == [network.picture.shape] * 2
    assert all(values.dtype == np.float32 for (values,) in made)


def test_the_finder_runs_its_network_with_a_border() -> None:
    shapes = []

    def run(inputs: Arrays) -> Arrays:
        shapes.append(inputs[0].shape)
        cells = [inputs[0].shape[1] // s * inputs[0].shape[2] // s for s in (8, 16, 32)]
        return tuple(np.zeros((1, n, w), np.float32) for w in (1, 1, 4, 10) for n in cells)

    face = face_finder(run).find(flat_picture(3, 100), "x")
    assert shapes == [(1, 160, 160, 3)]  # 100 and a quarter on each side, up to a multiple of 32
    assert face.as_face


def test_a_network_that_is_only_fed_cannot_be_run() -> None:
    with pytest.raises(RuntimeError, match="only fed"):
        never(())
