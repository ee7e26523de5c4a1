"""Stage by stage over all faces is, to the last bit, face by face over all stages."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Artefact, Bundle, default_bundle
from edge.contract import TASKS
from edge.engines.base import Engine
from edge.frames import Frame
from edge.live.follower import Follower
from edge.live.settings import LiveSettings, Reduction
from edge.pipeline import Pipeline, is_covered
from edge.results import FaceResult
from edge.sources import open_source
from tests.edge.echo import EchoEngine
from tests.edge.scripted import ScriptedEngine, face_at, face_outputs
from tests.edge.test_stages_many import same
from tests.makers import make_frame, write_bundle

CELLS = ((16, (3, 3)), (16, (9, 4)), (16, (15, 5)), (16, (4, 12)), (16, (10, 13)), (16, (16, 15)))
FIELDS = ("painting", "embedding", "landmarks", "mask", "emotion", "gender", "identity")


class Engines:
    """Hands out engines whose answers depend on the face, and keeps them by task."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
        self.batch = batch
        self.opened: dict[str, Any] = {}
        monkeypatch.setattr("edge.ways.open_engine", self.open)

    def open(self, artefact: Artefact, **_: object) -> Engine:
        """Stand in for ``open_engine``."""
        contract = artefact.contract
        if artefact.task == "detect":
            faces = [face_at(stride, cell) for stride, cell in CELLS]
            return ScriptedEngine(contract, *face_outputs(contract, faces))
        engine = self.opened[artefact.task] = EchoEngine(contract, self.batch)
        return engine


def one_by_one(pipeline: Pipeline, frame: Frame) -> list[dict[str, Any]]:
    """Send each face through all stages, one after the other."""
    stages, answers = pipeline.stages, []
    for face in pipeline.detect(frame, pipeline.unspent()):
        answer: dict[str, Any] = dict.fromkeys(FIELDS)
        answer["mask"] = stages["mask"](frame, face)
        route = "identify"
        if is_covered(answer["mask"].state):
            route = "identify-masked"
            answer["painting"] = stages["reconstruct"](frame, face)
        answer["embedding"] = stages[route](frame, face)
        for name in ("emotion", "gender", "landmarks"):
            answer[name] = stages[name](frame, face) if name in stages else None
        answers.append(answer)
    return answers


def check(faces: tuple[FaceResult, ...], wanted: list[dict[str, Any]]) -> None:
    assert len(faces) == len(wanted)
    for face, answer in zip(faces, wanted, strict=True):
        for field in FIELDS:
            assert same(getattr(face, field), answer[field]), field


@pytest.mark.parametrize("batch", [1, 4, 8])
def test_the_old_order_and_the_new(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, batch: int
) -> None:
    engines = Engines(monkeypatch, batch)
    bundle = Bundle.open(write_bundle(tmp_path / "bundle", TASKS))
    frame = make_frame(320, 320)
    with Pipeline(bundle, embeddings=True) as pipeline:
        wanted = one_by_one(pipeline, frame)
        for engine in engines.opened.values():
            engine.counts.clear()
        result = pipeline.run(frame)
    check(result.faces, wanted)
    covered = sum(is_covered(answer["mask"].state) for answer in wanted)
    assert 0 < covered < len(CELLS), "both routes are wanted here"
    runs = {name: time.runs for name, time in result.stage_ns.items()}
    everybody = dict.fromkeys(("mask", "identify", "emotion", "gender", "landmarks"), len(CELLS))
    assert runs == {"detect": 1, "reconstruct": covered, **everybody}
    counts = {task: engine.counts for task, engine in engines.opened.items()}
    assert len(counts["mask"]) == len(counts["emotion"]) == -(-len(CELLS) // batch)
    assert sum(counts["identity-masked"]) == sum(counts["map"]) == covered
    assert sum(counts["identity"]) == len(CELLS) - covered
    spent = sum(time.total_ns for time in result.stage_ns.values())
    assert 0 < spent <= result.total_ns


def test_one_network_for_all_faces_embeds_them_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engines = Engines(monkeypatch, 8)
    bundle = Bundle.open(write_bundle(tmp_path / "bundle", ("detect", "mask", "identity")))
    with Pipeline(bundle, embeddings=True) as pipeline:
        pipeline.run(make_frame(320, 320))
    assert engines.opened["identity"].counts == [len(CELLS)]


def test_the_shipped_networks_answer_the_same_in_either_order() -> None:
    with open_source("synthetic://?faces=3&masked=1&frames=1&width=480&height=320") as source:
        (frame,) = source
    with Pipeline(Bundle.open(default_bundle()), embeddings=True) as pipeline:
        result = pipeline.run(frame)
        assert len(result.faces) == 3
        check(result.faces, one_by_one(pipeline, frame))


def test_followed_faces_are_looked_at_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = Bundle.open(write_bundle(tmp_path / "bundle", TASKS))
    said: list[list[dict[str, Any]]] = []
    for batch in (1, 8):
        engines = Engines(monkeypatch, batch)
        with Pipeline(bundle, embeddings=True) as pipeline:
            follower = Follower(pipeline, LiveSettings(confirm=1))
            said.append([])
            for index in range(4):
                frame = dataclasses.replace(
                    make_frame(320, 320, seed=index), captured_ns=1 + index * 10**8
                )
                spent = pipeline.unspent()
                faces = follower.look(frame, pipeline.detect(frame, spent), Reduction(), spent)
                said[-1] += [{f: getattr(face, f) for f in FIELDS} for face in faces]
                if index == 0:
                    first = {task: list(engine.counts) for task, engine in engines.opened.items()}
                    assert spent["mask"].runs == len(CELLS) == sum(first["mask"])
                    assert len(first["mask"]) == -(-len(CELLS) // batch)
    assert len(said[0]) == len(said[1]) == 4 * len(CELLS)
    for one, other in zip(*said, strict=True):
        assert all(same(one[field], other[field]) for field in FIELDS)
