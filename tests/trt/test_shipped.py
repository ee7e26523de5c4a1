"""The package's own bundle on a Jetson: every network has a Q/DQ file that TensorRT may take."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install -e .[test]")

from edge.bundle import Bundle, default_bundle
from export.race.likeness import LEAST_COSINE, likeness
from export.race.scenes import draw_scenes
from export.race.ways import Way
from export.toolchains.rules import check_rules
from tests.trt.collect_names import RELEASES

BUNDLE = Bundle.open(default_bundle())


def test_one_bundle_serves_both() -> None:
    for engine in ("tflite", "onnxruntime"):
        tasks = [a.task for a in BUNDLE.artefacts if (a.engine, a.precision) == (engine, "int8")]
        assert tuple(tasks) == BUNDLE.tasks


@pytest.mark.parametrize("task", BUNDLE.tasks)
def test_no_release_finds_a_broken_rule(task: str) -> None:
    artefact = BUNDLE.artefact(task, "onnxruntime", "int8")
    for release in RELEASES:
        found = check_rules(artefact.content, where=artefact.where, release=f"{release}.0")
        assert not list(found), release


@pytest.mark.parametrize("task", BUNDLE.tasks)
def test_it_lost_no_more_than_its_card_allows(task: str) -> None:
    evidence = BUNDLE.artefact(task, "onnxruntime", "int8").evidence
    assert evidence.max_drop is not None
    assert evidence.float_value - evidence.artefact_value <= evidence.max_drop


@pytest.mark.parametrize("task", BUNDLE.tasks)
def test_both_files_of_a_network_say_the_same(task: str) -> None:
    """Of a drawn face: what a Pi answers, a Jetson answers."""
    qdq = Way(BUNDLE.artefact(task, "onnxruntime", "int8"), "onnxruntime", 1)
    tflite = Way(BUNDLE.artefact(task, "tflite", "int8"), "tflite", 1)
    assert likeness(qdq, [tflite], draw_scenes(2)) > LEAST_COSINE
