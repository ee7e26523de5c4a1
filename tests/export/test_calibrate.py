"""Where calibration takes its inputs from, and what it refuses."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.packs import Pack
from edge.contract import Contract, Crop, TensorSpec
from edge.engines.null import NullEngine
from edge.errors import DataError, MissingInput, UsageError
from edge.frames import Frame
from edge.stages.base import Stage
from export.calibration.calibrate import (
    HELD_BACK,
    Draw,
    folder_inputs,
    given_inputs,
    sample_inputs,
)
from export.calibration.overlap import Known, fingerprint
from export.calibration.samples import folder_pictures, known_pictures, pack_pictures
from export.cards.card import read_card
from tests.benchmarks.makers import write_pack
from tests.export.makers import CARD

Image = NDArray[np.uint8]

INPUT = TensorSpec("args_0", "image", (1, 32, 32, 3), "float32", colour="RGB")
CONTRACT = Contract("net", "", Crop("frame"), (INPUT,), ())
FEW = Draw(count=8, minimum=4)


def _scene(seed: int, side: int = 48) -> Image:
    """Return smooth noise: like a photograph, it survives JPEG."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)


def _write(folder: Path, *seeds: int, ending: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        assert cv2.imwrite(str(folder / f"{seed:03}{ending}"), _scene(seed))
    return folder


class _Any(Stage[None]):
    def decode(self) -> None:
        """Do nothing."""


def _as_on_the_device(contract: Contract, image: Image) -> Image:
    spec = dataclasses.replace(contract.inputs[0], dtype="uint8", scale=1 / 128, zero_point=128)
    contract = dataclasses.replace(contract, inputs=(spec,))
    with NullEngine(contract) as engine:
        stage = _Any(engine, contract)
        stage.prepare(Frame(image, 0, 0, "here"))
        return engine.inputs[0].copy()


def test_a_folder_goes_in_as_on_the_device(tmp_path: Path) -> None:
    _write(tmp_path / "a", 0, 1, 2)
    _write(tmp_path / "b" / "c", 3, 4)
    (tmp_path / "notes.txt").write_text("no picture")
    made = folder_inputs(tmp_path, CONTRACT, FEW)
    wanted = {_as_on_the_device(CONTRACT, _scene(seed)).tobytes() for seed in range(5)}
    assert {sample[0].tobytes() for sample in made.samples + made.held_back} == wanted
    assert {sample[0].dtype.name for sample in made.samples} == {"uint8"}


def test_what_is_not_calibrated_with_is_held_back(tmp_path: Path) -> None:
    _write(tmp_path, *range(7))
    made = folder_inputs(tmp_path, CONTRACT, FEW)
    assert (len(made.samples), len(made.held_back)) == (4, 3)
    made = folder_inputs(tmp_path, CONTRACT, Draw(count=2, minimum=2))
    assert (len(made.samples), len(made.held_back)) == (2, 5)
    made = given_inputs((_scene(s) for s in range(200)), CONTRACT, Draw(count=100, minimum=90))
    assert (len(made.samples), len(made.held_back)) == (100, HELD_BACK)


def test_the_manifest_says_what_was_used_and_is_the_same_twice(tmp_path: Path) -> None:
    one, two = _write(tmp_path / "one", *range(6)), _write(tmp_path / "two", *range(1, 7))
    first, again, other = (folder_inputs(f, CONTRACT, FEW).manifest for f in (one, one, two))
    assert json.dumps(first.to_json()) == json.dumps(again.to_json())
    assert (first.source, first.split, first.count, first.method) == ("one", "", 4, "minmax")
    assert len(first.sha256) == 64
    assert first.sha256 != other.sha256
    renamed = tmp_path / "three"
    one.rename(renamed)
    assert folder_inputs(renamed, CONTRACT, FEW).manifest.sha256 == first.sha256


def test_three_hundred_pictures_are_asked_for_unless_told_otherwise(tmp_path: Path) -> None:
    _write(tmp_path, *range(5))
    with pytest.raises(DataError, match=r"5 pictures to calibrate .* 300 are needed") as caught:
        folder_inputs(tmp_path, CONTRACT)
    assert caught.value.code == "export.samples"
    assert "fewer with --count" in str(caught.value)


def test_sets_that_are_empty_or_unreadable_are_refused_with_the_count(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="there is no such folder"):
        folder_inputs(tmp_path / "nowhere", CONTRACT, FEW)
    with pytest.raises(DataError, match="0 pictures to calibrate with"):
        folder_inputs(tmp_path, CONTRACT, FEW)
    _write(tmp_path, 0, 1)
    for number in range(5):
        (tmp_path / f"broken{number}.jpg").write_bytes(b"\xff\xd8\xff" + bytes(40))
    with pytest.raises(DataError, match=r"2 pictures .* \(5 cannot be read\), 4 are needed"):
        folder_inputs(tmp_path, CONTRACT, FEW)
    _write(tmp_path, 2, 3)
    assert len(folder_inputs(tmp_path, CONTRACT, FEW).samples) == 4


def _copies(kind: str, image: Image, path: Path) -> None:
    if kind == "renamed":
        cv2.imwrite(str(path.with_suffix(".png")), image)
    elif kind == "jpeg":
        cv2.imwrite(str(path.with_suffix(".jpg")), image, [cv2.IMWRITE_JPEG_QUALITY, 60])
    elif kind == "webp":
        cv2.imwrite(str(path.with_suffix(".webp")), image, [cv2.IMWRITE_WEBP_QUALITY, 70])
    else:
        cv2.imwrite(str(path.with_suffix(".png")), cv2.resize(image, (80, 80)))


@pytest.mark.parametrize("kind", ["renamed", "jpeg", "webp", "larger"])
def test_a_picture_of_the_evaluation_set_is_known_by_its_content(kind: str, tmp_path: Path) -> None:
    mine, judged = _write(tmp_path / "mine", *range(8)), _write(tmp_path / "judged", 90, 91)
    known = known_pictures(folder_pictures(judged))
    assert len(folder_inputs(mine, CONTRACT, dataclasses.replace(FEW, known=known)).samples) == 4
    _copies(kind, _scene(91), mine / "holiday")
    with pytest.raises(DataError, match=r"1 pictures stand .*: holiday\.\w+ is 091\.png there"):
        folder_inputs(mine, CONTRACT, dataclasses.replace(FEW, known=known))
    with pytest.raises(DataError, match=r"iterable 2 is 090\.png there"):
        given_inputs(
            [_scene(1), _scene(2), _scene(90), _scene(4), _scene(5)],
            CONTRACT,
            dataclasses.replace(FEW, known=known),
        )


def test_pictures_without_contrast_are_known_only_exactly() -> None:
    grey = np.full((40, 40, 3), 90, np.uint8)
    known = Known([fingerprint("grey", grey)])
    assert known.find(fingerprint("same", grey.copy())) == "grey"
    assert known.find(fingerprint("next", grey + 1)) is None
    assert Known().find(fingerprint("any", grey)) is None


def test_different_scenes_are_not_taken_for_one() -> None:
    known = Known(fingerprint(str(seed), _scene(seed)) for seed in range(200))
    assert not [s for s in range(200, 400) if known.find(fingerprint("x", _scene(s)))]


def test_pictures_and_ready_inputs_from_an_iterable() -> None:
    images = given_inputs([_scene(s) for s in range(4)], CONTRACT, FEW)
    np.testing.assert_array_equal(images.samples[1][0], _as_on_the_device(CONTRACT, _scene(1)))
    ready = [np.full((1, 32, 32, 3), value, np.float32) for value in range(5)]
    made = given_inputs(ready, CONTRACT, FEW, source="noise")
    assert [float(s[0][0, 0, 0, 0]) for s in made.samples] == [0, 1, 2, 3]
    assert made.samples[0][0].dtype == np.float32
    assert made.manifest.source == "noise"
    grey = dataclasses.replace(INPUT, colour="GREY", shape=(1, 32, 32, 1))
    contract = dataclasses.replace(CONTRACT, inputs=(grey,))
    flat = given_inputs([np.full((32, 32), v, np.uint8) for v in range(4)], contract, FEW)
    assert flat.samples[3][0].shape == (1, 32, 32, 1)
    assert (flat.samples[3][0] == 3).all()


def test_an_endless_iterable_is_read_as_far_as_needed() -> None:
    seen: list[int] = []

    def endless() -> Iterator[Image]:
        for seed in itertools.count():
            seen.append(seed)
            yield _scene(seed)

    given_inputs(endless(), CONTRACT, Draw(count=10, minimum=5))
    assert len(seen) == 10 + HELD_BACK


@pytest.mark.parametrize(
    "item", [3, "a.png", np.zeros((5, 5), np.float32), (np.zeros(7, np.uint8),), np.zeros(0), None]
)
def test_items_that_are_neither_are_named(item: Any) -> None:
    with pytest.raises(DataError, match="iterable 0: is neither a picture"):
        given_inputs([item], CONTRACT, FEW)


def test_a_network_with_two_inputs_takes_ready_ones_only() -> None:
    both = (INPUT, dataclasses.replace(INPUT, name="args_1", meaning="map", shape=(1, 4)))
    contract = dataclasses.replace(CONTRACT, inputs=both)
    with pytest.raises(UsageError, match=r"net: takes args_0 \[1, 32, 32, 3\], args_1 \[1, 4\]"):
        given_inputs([_scene(0)], contract, FEW)
    pair = (np.zeros((32, 32, 3), np.uint8), np.ones(4, np.float32))
    made = given_inputs([pair] * 4, contract, FEW)
    assert [a.shape for a in made.samples[0]] == [(1, 32, 32, 3), (1, 4)]


def test_an_input_of_no_known_colour_takes_no_picture() -> None:
    contract = dataclasses.replace(CONTRACT, inputs=(dataclasses.replace(INPUT, colour=""),))
    with pytest.raises(UsageError, match="of a known colour"):
        given_inputs([_scene(0)], contract, FEW)


def _card(tmp_path: Path, *, count: int = 300) -> Path:
    text = CARD.format(
        name="net", task="mask", labels=["masked"], kind="box", outputs="", metric="accuracy",
        max_drop=0.1, tuning="",
    )  # fmt: skip
    text += '[[contract.outputs]]\nmeaning = "logits"\nshape = [1, 1]\n'
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "model.toml").write_text(text.replace("count = 300", f"count = {count}"))
    return folder


def _pack(tmp_path: Path, train: int, *, shared: int) -> Path:
    """Write a pack whose last ``shared`` training pictures stand in its test split, too."""
    pictures, rows = {}, []
    for number in range(train):
        pictures[f"train{number}"] = _scene(number)
        rows.append({"file": f"train{number}", "split": "train", "label": "masked"})
    for number in range(train - shared, train + 3):
        pictures[f"test{number}"] = _scene(number)
        rows.append({"file": f"test{number}", "split": "test", "label": "masked"})
    write_pack(tmp_path / "data" / "tiny", pictures, rows)
    return tmp_path / "data"


def test_a_pack_gives_what_its_card_asks_for_and_nothing_it_is_judged_on(tmp_path: Path) -> None:
    card = read_card(_card(tmp_path) / "model.toml")
    data = _pack(tmp_path, 372, shared=5)
    made = sample_inputs(card, CONTRACT, data, None)
    assert (len(made.samples), len(made.held_back)) == (300, HELD_BACK)
    assert (made.manifest.source, made.manifest.split, made.manifest.count) == (
        "tiny",
        "train",
        300,
    )
    test = {_as_on_the_device(CONTRACT, _scene(n)).tobytes() for n in range(367, 375)}
    assert not test & {sample[0].tobytes() for sample in made.samples + made.held_back}
    again = sample_inputs(card, CONTRACT, data, None)
    assert again.manifest == made.manifest
    assert len(pack_pictures(Pack.open(data / "tiny"), "train")) == 372


def test_a_pack_that_is_too_small_is_refused_with_the_counts(tmp_path: Path) -> None:
    card = read_card(_card(tmp_path) / "model.toml")
    with pytest.raises(DataError, match=r"35 pictures .* \(5 stand in the evaluation set\), 364"):
        sample_inputs(card, CONTRACT, _pack(tmp_path, 40, shared=5), None)


SAMPLES = """
import numpy as np

def calibration(data, count):
    for value in range(count):
        yield (np.full((32, 32, 3), value % 256, np.uint8),)
"""


def test_a_recipe_may_make_its_own_inputs(tmp_path: Path) -> None:
    folder = _card(tmp_path)
    (folder / "samples.py").write_text(SAMPLES)
    made = sample_inputs(read_card(folder / "model.toml"), CONTRACT, tmp_path, None)
    assert [int(s[0][0, 0, 0, 0]) for s in made.samples[:3]] == [0, 1, 2]
    assert made.samples[0][0].shape == (1, 32, 32, 3)
    assert len(made.held_back) == HELD_BACK
