"""The pipeline sends each face where its mask says and counts the time."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import Artefact, Bundle
from edge.errors import BundleError, DataError
from edge.gallery import Gallery
from edge.pipeline import MAX_FACES, Pipeline
from edge.results import STAGES, StageTime
from edge.stages.identify import unit
from tests.edge.scripted import ScriptedEngine, face_at, face_outputs, half_covered
from tests.makers import REVISION, make_contract, make_frame, write_bundle

PLAIN, MASKED = np.eye(2, 128) * 4


class Engines:
    """Hands out scripted engines, and remembers them by task."""

    def __init__(self, mask: str = "masked", faces: list[dict[str, Any]] | None = None) -> None:
        states = make_contract("mask").labels
        detect = make_contract("detect")
        self.opened: dict[str, ScriptedEngine] = {}
        self.outputs: dict[str, Any] = {
            "detect": face_outputs(detect, [face_at(32, (4, 4))] if faces is None else faces),
            "mask": [np.array([4.0 * (state == mask) for state in states])],
            "map": [half_covered()],
            "edit": [np.full((128, 128, 3), 0.5)],
            "identity": [PLAIN],
            "identity-masked": [MASKED],
            "emotion": [np.arange(7)],
        }

    def open(self, artefact: Artefact, **_: object) -> ScriptedEngine:
        """Stand in for ``open_engine``."""
        engine = ScriptedEngine(artefact.contract, *self.outputs[artefact.task])
        self.opened[artefact.task] = engine
        return engine

    def runs(self) -> dict[str, int]:
        """Return how often each task's network ran."""
        return {task: engine.runs for task, engine in self.opened.items()}


def use(monkeypatch: pytest.MonkeyPatch, engines: Engines) -> Engines:
    monkeypatch.setattr("edge.ways.open_engine", engines.open)
    return engines


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle.open(write_bundle(tmp_path / "bundle"))


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "people.gallery", REVISION, create=True) as opened:
        opened.enrol("Ada", unit(PLAIN.astype(np.float32)), masked=False)
        opened.enrol("Grace", unit(MASKED.astype(np.float32)), masked=True)
        yield opened


def test_an_empty_frame_is_an_empty_result(bundle: Bundle) -> None:
    with Pipeline(bundle) as pipeline:  # the null engine finds nobody
        result = pipeline.run(make_frame())
    assert result.faces == ()
    assert list(result.stage_ns) == list(STAGES)
    detect = result.stage_ns["detect"]
    assert detect.runs == 1 and min(detect.pre_ns, detect.infer_ns, detect.post_ns) > 0
    assert result.total_ns >= detect.total_ns
    assert result.stage_ns["mask"] == StageTime()


@pytest.mark.parametrize(
    ("state", "person", "route", "other", "painted"),
    [
        ("masked", "Grace", "identity-masked", "identity", True),
        ("incorrect", "Grace", "identity-masked", "identity", True),
        ("unmasked", "Ada", "identity", "identity-masked", False),
    ],
)
def test_the_mask_decides_the_route(
    monkeypatch: pytest.MonkeyPatch,
    bundle: Bundle,
    gallery: Gallery,
    state: str,
    person: str,
    route: str,
    other: str,
    painted: bool,
) -> None:
    engines = use(monkeypatch, Engines(state))
    with Pipeline(bundle, gallery=gallery) as pipeline:
        result = pipeline.run(make_frame(320, 320))
    (face,) = result.faces
    assert face.mask.state == state
    assert face.identity is not None and face.identity.person == person
    assert face.identity.similarity == pytest.approx(1.0, abs=1e-6)
    assert not face.identity.reconstructed
    assert (face.painting is not None) == painted
    assert face.emotion is not None and face.emotion.label == "neutral"
    runs = engines.runs()
    assert (runs[route], runs[other], runs["edit"]) == (1, 0, int(painted))
    assert all(engine.closed == 1 for engine in engines.opened.values())
    spent = result.stage_ns
    assert sum(spent[stage].total_ns for stage in STAGES) <= result.total_ns
    assert (spent["reconstruct"].infer_ns > 0) == painted
    json.dumps(result.to_json())


def test_a_stranger_has_no_name(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, gallery: Gallery
) -> None:
    engines = Engines("unmasked")
    stranger = np.zeros(128)
    stranger[[0, 2]] = 1, 7  # cosine 1 / sqrt(50) to Ada, below the contract's 0.3
    engines.outputs["identity"] = [stranger]
    use(monkeypatch, engines)
    with Pipeline(bundle, gallery=gallery) as pipeline:
        (face,) = pipeline.run(make_frame()).faces
    assert face.identity is not None and face.identity.person is None
    assert face.identity.similarity == pytest.approx(1 / np.sqrt(50), abs=1e-3)


def test_without_a_gallery_no_embedding_is_computed(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    engines = use(monkeypatch, Engines())
    with Pipeline(bundle) as pipeline:
        (face,) = pipeline.run(make_frame()).faces
    assert face.identity is None and face.embedding is None
    assert not {"identity", "identity-masked"} & set(engines.opened)


def test_embeddings_for_enrolment(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    use(monkeypatch, Engines("unmasked"))
    with Pipeline(bundle, embeddings=True) as pipeline:
        (face,) = pipeline.run(make_frame()).faces
    assert face.identity is None and face.embedding is not None
    np.testing.assert_allclose(face.embedding, np.eye(1, 128)[0], atol=1e-6)


def test_optional_tasks_may_be_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gallery: Gallery
) -> None:
    use(monkeypatch, Engines("masked"))
    bundle = Bundle.open(write_bundle(tmp_path / "small", ["detect", "mask", "identity"]))
    with Pipeline(bundle, gallery=gallery) as pipeline:
        (face,) = pipeline.run(make_frame()).faces
    assert face.painting is None and face.emotion is None
    assert face.identity is not None and face.identity.person == "Ada"  # by the plain route


@pytest.mark.parametrize("missing", ["detect", "mask", "identity"])
def test_required_tasks_are_named(tmp_path: Path, missing: str) -> None:
    tasks = [task for task in ("detect", "mask", "identity") if task != missing]
    bundle = Bundle.open(write_bundle(tmp_path / "small", tasks))
    with pytest.raises(BundleError, match=f"no network for {missing}"):
        Pipeline(bundle)


def test_the_largest_face_comes_first_and_a_crowd_is_bounded(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    crowd = [
        face_at(8, (column, row), size=(10 + row / 2, 10 + row / 2), score=0.6)
        for column in range(1, 40, 4)
        for row in range(1, 40, 5)
    ]
    engines = use(monkeypatch, Engines("unmasked", crowd))
    with Pipeline(bundle) as pipeline:
        result = pipeline.run(make_frame(320, 320))
    areas = [face.detection.box_xywh[2:].prod() for face in result.faces]
    assert len(areas) == MAX_FACES < len(crowd)
    assert areas == sorted(areas, reverse=True)
    assert engines.runs()["mask"] == MAX_FACES


def test_a_face_whose_points_are_one_does_not_end_the_frame(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, gallery: Gallery
) -> None:
    squashed = face_at(32, (4, 4), points=[(144, 144)] * 5)
    use(monkeypatch, Engines("masked", [squashed, face_at(16, (15, 15))]))
    with Pipeline(bundle, gallery=gallery) as pipeline:
        result = pipeline.run(make_frame(320, 320))
    assert [face.painting is not None for face in result.faces] == [True, True]


def test_networks_of_two_revisions_are_refused_and_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engines = use(monkeypatch, Engines())
    other = dataclasses.replace(make_contract("identity-masked"), revision="another")
    folder = write_bundle(tmp_path / "mixed", contracts={"identity-masked": other})
    with pytest.raises(BundleError, match="'another'; a bundle has one"):
        Pipeline(Bundle.open(folder), embeddings=True)
    assert all(engine.closed == 1 for engine in engines.opened.values())


def test_a_gallery_of_another_revision_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with (
        Gallery.open(tmp_path / "old.gallery", "old", create=True) as old,
        pytest.raises(DataError) as caught,
    ):
        Pipeline(bundle, gallery=old)
    assert caught.value.code == "gallery.revision"
    assert "into a new gallery" in str(caught.value)


def test_stage_by_stage_is_the_same_as_at_once(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, gallery: Gallery
) -> None:
    use(monkeypatch, Engines("masked", [face_at(32, (4, 4)), face_at(16, (15, 15))]))
    frame = make_frame(320, 320)
    with Pipeline(bundle, gallery=gallery) as pipeline:
        at_once = pipeline.run(frame)
        spent = pipeline.unspent()
        faces = pipeline.detect(frame, spent)
        masks = pipeline.mask(frame, faces, spent)
        paintings = pipeline.reconstruct(frame, faces, spent)
        embeddings = pipeline.embed(frame, faces, spent, covered=[True, True])
        emotions = pipeline.emotion(frame, faces, spent)
        assert len(faces) == len(at_once.faces) == 2
        for i, whole in enumerate(at_once.faces):
            np.testing.assert_array_equal(faces[i].box_xywh, whole.detection.box_xywh)
            painting = paintings[i]
            assert painting is not None and whole.painting is not None
            np.testing.assert_array_equal(painting.image_bgr, whole.painting.image_bgr)
            assert masks[i] == whole.mask and emotions[i] == whole.emotion
            assert pipeline.match(embeddings[i], spent, covered=True) == whole.identity
    assert {name: time.runs for name, time in spent.items()} == {
        name: time.runs for name, time in at_once.stage_ns.items()
    }


def test_two_stages_can_be_left_out(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    engines = use(monkeypatch, Engines("masked"))
    frame = make_frame(320, 320)
    with Pipeline(bundle) as pipeline:
        spent = pipeline.unspent()
        faces = pipeline.detect(frame, spent)
        (result,) = pipeline.look(frame, faces, spent, emotion=False, reconstruct=False)
    assert result.emotion is None and result.painting is None
    runs = engines.runs()
    assert (runs["emotion"], runs["map"], runs["edit"]) == (0, 0, 0)


def test_warming_up_runs_every_network(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    engines = Engines("unmasked", [])  # finds no face, and nothing covered to paint
    engines.outputs["map"] = [np.zeros((128, 128))]
    use(monkeypatch, engines)
    with Pipeline(bundle, embeddings=True) as pipeline:
        pipeline.warm_up()
    assert set(engines.runs().values()) == {1}


def test_a_painting_moves_with_its_face(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    use(monkeypatch, Engines("masked"))
    frame, later = make_frame(320, 320), make_frame(320, 320, seed=1)
    with Pipeline(bundle) as pipeline:
        spent = pipeline.unspent()
        (face,) = pipeline.detect(frame, spent)
        (painting,) = pipeline.reconstruct(frame, [face], spent)
        assert painting is not None
        same = pipeline.repaint(frame, face, painting, spent)
        moved = dataclasses.replace(face, points_5x2=face.points_5x2 + np.float32(8))
        again = pipeline.repaint(later, moved, painting, spent)
        (seen,) = pipeline.reconstruct(later, [moved], spent)
    assert same is not None and again is not None and seen is not None
    np.testing.assert_array_equal(same.image_bgr, painting.image_bgr)
    np.testing.assert_array_equal(again.matrix, seen.matrix)
    covered = painting.map_u8 > 0
    # Painted pixels are the old ones, all others the later frame's own.
    np.testing.assert_array_equal(again.image_bgr[covered], painting.image_bgr[covered])
    np.testing.assert_array_equal(again.image_bgr[~covered], seen.image_bgr[~covered])
    assert spent["reconstruct"].runs == 2


def test_a_bundle_without_painters_paints_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, Engines("masked"))
    bundle = Bundle.open(write_bundle(tmp_path / "small", ["detect", "mask", "identity"]))
    with Pipeline(bundle) as pipeline:
        pipeline.warm_up()
        spent = pipeline.unspent()
        faces = pipeline.detect(make_frame(320, 320), spent)
        assert pipeline.reconstruct(make_frame(320, 320), faces, spent) == [None]
