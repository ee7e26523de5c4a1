"""Gender and landmarks: the stages that a bundle may leave out."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.networks import Networks
from edge.bundle import Bundle
from edge.contract import TASKS, Contract, Crop
from edge.errors import BundleError
from edge.geometry import transform_points
from edge.pipeline import Pipeline
from edge.results import STAGES, Detection
from edge.stages import GenderStage, LandmarksStage
from tests.edge.scripted import ScriptedEngine
from tests.makers import make_contract, make_frame, write_bundle

FACE = Detection(
    np.array([100, 60, 80, 100], np.float32),
    0.9,
    np.array([[120, 95], [160, 97], [140, 120], [124, 140], [158, 141]], np.float32),
)


@pytest.mark.parametrize(("logits", "label"), [([2.0, 0.0], "female"), ([-1.0, 1.0], "male")])
def test_the_likelier_gender_is_said(logits: list[float], label: str) -> None:
    contract = make_contract("gender")
    said = GenderStage(ScriptedEngine(contract, np.array([logits])), contract)(make_frame(), FACE)
    assert said.label == label
    assert said.score == pytest.approx(1 / (1 + np.exp(-2)), abs=0.01)


def test_other_genders_than_these_are_refused() -> None:
    contract = dataclasses.replace(make_contract("gender"), labels=("female", "cat"))
    with pytest.raises(BundleError, match="the labels must be female, male"):
        GenderStage(ScriptedEngine(contract), contract)


@given(st.sampled_from(["box", "points"]), st.integers(0, 2**32 - 1))
def test_landmarks_come_back_in_pixels_of_the_frame(kind: str, seed: int) -> None:
    """Points of the frame, carried into the crop by its matrix, come back."""
    contract = dataclasses.replace(make_contract("landmarks"), crop=Crop(kind, scale=0.8))
    stage = LandmarksStage(ScriptedEngine(contract), contract)
    frame = make_frame()
    stage.prepare(frame, FACE)
    inverse = cv2.invertAffineTransform(stage.matrices[0])
    wanted = np.random.default_rng(seed).uniform(0, 112, (68, 2))
    true = transform_points(inverse, wanted - 0.5)
    found = LandmarksStage(ScriptedEngine(contract, wanted / 112), contract)(frame, FACE)
    assert found.dtype == np.float32
    step = 112 / 256 * np.linalg.norm(inverse[:, :1])
    assert np.linalg.norm(found - true, axis=1).max() < 1.42 * step  # x and y each by a step


def test_the_crop_reaches_from_edge_to_edge() -> None:
    contract = dataclasses.replace(make_contract("landmarks"), crop=Crop("box", scale=1.0))
    corners = np.zeros((68, 2))
    corners[1] = 255 / 256
    found = LandmarksStage(ScriptedEngine(contract, corners), contract)(make_frame(), FACE)
    # The square of 100 round the box: from 90 to 190 and from 60 to 160, counted at pixel edges.
    np.testing.assert_allclose(found[0], [89.5, 59.5], atol=1e-3)
    np.testing.assert_allclose(found[1], [189.5 - 100 / 256, 159.5 - 100 / 256], atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "crop"),
    [((1, 137), "box"), ((1, 29, 2), "box"), ((136,), "box"), ((1, 136), "frame")],
)
def test_landmarks_that_cannot_be_read_are_refused(shape: tuple[int, ...], crop: str) -> None:
    made = make_contract("landmarks")
    outputs = (dataclasses.replace(made.outputs[0], shape=shape),)
    contract: Contract = dataclasses.replace(made, outputs=outputs, crop=Crop(crop))
    with pytest.raises(BundleError, match="landmarks are read from a face and have shape"):
        LandmarksStage(ScriptedEngine(made), contract)


def test_a_bundle_may_leave_them_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("bundle")
    bundle = Bundle.open(write_bundle(folder, ("detect", "mask", "identity")))
    with Pipeline(bundle) as pipeline:
        pipeline.run(make_frame())
    with Networks(bundle) as networks, pytest.raises(BundleError, match="task 'gender'"):
        networks.gender()


def test_a_pipeline_runs_what_its_bundle_has(tmp_path_factory: pytest.TempPathFactory) -> None:
    detect = dataclasses.replace(make_contract("detect"), threshold=0.0)
    found = {"detect": detect}
    full = Bundle.open(write_bundle(tmp_path_factory.mktemp("full"), TASKS, contracts=found))
    with Pipeline(full) as pipeline:
        result = pipeline.run(make_frame())
    face = result.to_json()["faces"][0]
    assert face["gender"] == {"label": "female", "score": 0.5}
    assert np.array(face["landmarks"]).shape == (68, 2)
    assert list(result.stage_ns)[-2:] == ["gender", "landmarks"]
    few = write_bundle(
        tmp_path_factory.mktemp("few"), ("detect", "mask", "identity"), contracts=found
    )
    with Pipeline(Bundle.open(few)) as pipeline:
        result = pipeline.run(make_frame())
    assert not {"gender", "landmarks"} & set(result.to_json()["faces"][0])
    assert list(result.stage_ns) == list(STAGES)
