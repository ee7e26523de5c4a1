"""Several faces through a stage at once: the same answers, fewer runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract import Contract
from edge.engines.base import slot
from edge.geometry import ARCFACE_112
from edge.results import Detection, Painting, StageTime
from edge.stages import (
    EmotionStage,
    GenderStage,
    IdentifyStage,
    LandmarksStage,
    MaskStage,
    ReconstructStage,
)
from edge.stages.base import Stage
from tests.edge.echo import EchoEngine
from tests.makers import make_contract, make_frame

PLAIN: dict[str, Callable[[Any, Contract], Stage[Any]]] = {
    "mask": MaskStage,
    "identity": IdentifyStage,
    "emotion": EmotionStage,
    "gender": GenderStage,
    "landmarks": LandmarksStage,
}


def faces_of(count: int) -> list[Detection]:
    """Return faces in different places of a frame of 320 by 240."""
    found = []
    for i in range(count):
        corner, side = np.array([17 * i, 11 * i], np.float32), np.float32(40 + 6 * i)
        points = (ARCFACE_112 * (side / 112) + corner).astype(np.float32)
        found.append(Detection(np.array([*corner, side, side], np.float32), 0.9, points))
    return found


def same(found: Any, wanted: Any) -> bool:
    """Tell whether two answers are equal to the last bit."""
    if isinstance(wanted, Painting):
        return isinstance(found, Painting) and all(
            np.array_equal(a, b)
            for a, b in (
                (found.image_bgr, wanted.image_bgr),
                (found.map_u8, wanted.map_u8),
                (found.matrix, wanted.matrix),
            )
        )
    if isinstance(wanted, np.ndarray):
        return np.array_equal(found, wanted)
    return bool(found == wanted)


@pytest.mark.parametrize("task", PLAIN)
@pytest.mark.parametrize("batch", [1, 3, 4])
@pytest.mark.parametrize("count", [0, 1, 4, 7])
def test_many_faces_are_answered_as_each_of_them_alone(task: str, batch: int, count: int) -> None:
    contract, frame, faces = make_contract(task), make_frame(), faces_of(count)
    wanted = [PLAIN[task](EchoEngine(contract), contract)(frame, face) for face in faces]
    engine = EchoEngine(contract, batch)
    stage = PLAIN[task](engine, contract)
    found = stage.many(frame, faces)
    assert len(found) == count and all(map(same, found, wanted))
    assert stage.time.runs == count == sum(engine.counts)
    assert len(engine.counts) == -(-count // batch)
    if count:
        assert min(stage.time.pre_ns, stage.time.infer_ns, stage.time.post_ns) > 0
    else:
        assert stage.time.infer_ns == 0
    # The same memory serves the next frame, with fewer faces and with more.
    again = stage.many(frame, [*faces[:1], *faces])
    assert all(map(same, again, [*wanted[:1], *wanted]))


def painter(finder_batch: int, painter_batch: int) -> tuple[Any, EchoEngine, EchoEngine]:
    found, edit = make_contract("map"), make_contract("edit")
    engines = EchoEngine(found, finder_batch), EchoEngine(edit, painter_batch)
    stage = ReconstructStage(engines[0], found, edit_engine=engines[1], edit_contract=edit)
    return stage, *engines


@settings(max_examples=15)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 7), st.integers(0, 2**32 - 1))
def test_faces_are_painted_as_each_of_them_alone(
    finder_batch: int, painter_batch: int, count: int, seed: int
) -> None:
    frame = make_frame(seed=seed)
    frame.image[:, 180:] = 0
    # Every third face is in the dark, where nothing is covered.
    faces = faces_of(count)
    for i in range(0, count, 3):
        points = (ARCFACE_112 / 5 + (260, 100 + i)).astype(np.float32)
        faces[i] = Detection(np.array([260, 100 + i, 20, 20], np.float32), 0.9, points)
    one, *_ = painter(1, 1)
    wanted = [one(frame, face) for face in faces]
    stage, finder, edit = painter(finder_batch, painter_batch)
    found = stage.many(frame, faces)
    assert all(map(same, found, wanted))
    assert [painting is None for painting in wanted] == [i % 3 == 0 for i in range(count)]
    assert sum(finder.counts) == stage.time.runs == count
    assert sum(edit.counts) == sum(painting is not None for painting in wanted)
    assert max(edit.counts, default=0) <= painter_batch


def test_crops_are_cut_when_faces_are_made_ready() -> None:
    """What is asked later is answered for the frame that was there."""
    contract, faces = make_contract("identity"), faces_of(5)
    stage = IdentifyStage(EchoEngine(contract, 2), contract)
    frame = make_frame()
    wanted = stage.many(frame, faces)
    stage.ready(frame, faces)
    frame.image[:] = 0
    assert all(map(same, stage.answer(), wanted))
    assert stage.time.pre_ns > 0 and stage.time != StageTime()


def test_a_slot_is_the_engines_own_memory() -> None:
    engine = EchoEngine(make_contract("mask"), 3)
    part = slot(engine, engine.inputs[0], 2)
    assert part.shape == make_contract("mask").inputs[0].shape and part.flags.c_contiguous
    part[:] = 5
    assert (engine.inputs[0][2] == 5).all() and not engine.inputs[0][:2].any()
