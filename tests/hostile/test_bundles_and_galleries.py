"""Bundles and galleries that were altered, cut or made for something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.gallery import Gallery
from tests.hostile.process import assert_refused, names, run_edge
from tests.makers import REVISION, write_bundle

ONE = "synthetic://?faces=1&frames=1&width=64&height=48"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


def edit_manifest(bundle: Path, change: Callable[[dict], object]) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    change(manifest)
    (bundle / "bundle.json").write_text(json.dumps(manifest))


def first_artefact(manifest: dict, task: str = "mask") -> dict:
    return manifest["networks"][task]["artefacts"][0]


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a network is missing": (lambda b: (b / "mask.null").unlink(), "mask.null"),
    "a byte is altered": (lambda b: (b / "mask.null").write_bytes(b"x"), "mask.null"),
    "a foreign file": (lambda b: (b / "stray.txt").write_text("hello"), "stray.txt"),
    "no manifest": (lambda b: (b / "bundle.json").unlink(), "bundle.json"),
    "an empty manifest": (lambda b: (b / "bundle.json").write_text(""), "bundle.json"),
    "a cut manifest": (lambda b: (b / "bundle.json").write_text('{"schema": '), "bundle.json"),
    "a deep manifest": (lambda b: (b / "bundle.json").write_text("[" * 100_000), "bundle.json"),
    "a link": (
        lambda b: ((b / "mask.null").unlink(), (b / "mask.null").symlink_to("/etc/passwd")),
        "mask.null",
    ),
    "a path in a name": (
        lambda b: edit_manifest(b, lambda m: first_artefact(m).update(file="../mask.null")),
        "../mask.null",
    ),
    "no evidence": (
        lambda b: edit_manifest(b, lambda m: first_artefact(m).pop("evidence")),
        "evidence",
    ),
    "another schema": (
        lambda b: edit_manifest(b, lambda m: m.update(schema="unveil-edge.bundle/9")),
        "unveil-edge.bundle/9",
    ),
    "no detector": (
        lambda b: (
            (b / "detect.null").unlink(),
            edit_manifest(b, lambda m: m["networks"].pop("detect")),
        ),
        "detect",
    ),
    "a shape of gigabytes": (
        lambda b: edit_manifest(
            b,
            lambda m: first_artefact(m)["contract"]["inputs"][0].update(shape=[1, 99999, 99999, 3]),
        ),
        "shape",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_bundle_is_refused(case: str, tmp_path: Path, bundle: Path) -> None:
    damage, named = BROKEN[case]
    damage(bundle)
    out = tmp_path / "out.jsonl"
    ended = run_edge(
        "edge-run", "--source", ONE, "--bundle", bundle, "--sink", f"jsonl:{out}", home=tmp_path
    )
    assert_refused(ended, 76, named)
    assert names(tmp_path) == ["bundle"]


def test_a_missing_bundle_is_refused(tmp_path: Path) -> None:
    ended = run_edge("edge-run", "--source", ONE, "--bundle", tmp_path / "none", home=tmp_path)
    assert_refused(ended, 66, str(tmp_path / "none"))


def make_gallery(path: Path, revision: str = REVISION) -> Path:
    embedding = np.zeros(128, np.float32)
    embedding[0] = 1
    with Gallery.open(path, revision, create=True) as gallery:
        gallery.enrol("Ada", embedding, masked=False)
    return path


@pytest.mark.parametrize(
    ("case", "code"), [("missing", 66), ("empty", 65), ("text", 65), ("cut", 65), ("revision", 65)]
)
def test_a_gallery_that_cannot_be_used(case: str, code: int, tmp_path: Path, bundle: Path) -> None:
    path = tmp_path / "gallery.sqlite"
    if case == "empty":
        path.write_bytes(b"")
    elif case == "text":
        path.write_text("a list of friends" * 100)
    elif case == "cut":
        make_gallery(path)
        path.write_bytes(path.read_bytes()[:5000])
    elif case == "revision":
        make_gallery(path, "another-revision")
    before = path.read_bytes() if path.exists() else None
    ended = run_edge(
        "edge-run", "--source", ONE, "--bundle", bundle, "--gallery", path, home=tmp_path
    )
    assert_refused(ended, code, str(path))
    assert (path.read_bytes() if path.exists() else None) == before


def test_doctor_names_the_altered_file(tmp_path: Path, bundle: Path) -> None:
    (bundle / "mask.null").write_bytes(b"x")
    ended = run_edge("edge-doctor", "--bundle", bundle, "--json", home=tmp_path)
    assert (ended.returncode, ended.stderr) == (2, "")
    findings = {f["subject"]: f for f in json.loads(ended.stdout)["findings"]}
    assert findings["bundle"]["level"] == "fail"
    assert "mask.null" in findings["bundle"]["what"]
    assert findings["bundle"]["mend"]
