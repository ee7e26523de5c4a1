from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from edge.bundle import Bundle
from edge.errors import BundleError, OutputError
from edge.evidence import Evidence
from export.bundle import Proven, write_bundle
from export.card import read_card
from tests.export.makers import write_recipe
from tests.makers import make_contract

EVIDENCE = Evidence("accuracy", 0.98, 0.97, 200, "tiny/test", ci95=(0.94, 0.99), cosine_min=0.999)


@pytest.fixture
def proven(tmp_path: Path) -> Proven:
    folder = write_recipe(tmp_path / "models", "mask")
    (folder / "weights.safetensors").write_bytes(b"weights")
    card = read_card(folder / "model.toml")
    return Proven(card, b"a network", make_contract("mask"), EVIDENCE)


def _write(out: Path, *networks: Proven) -> Bundle:
    return write_bundle(out, networks, name="test", tools={"torch": "2"})


def test_what_is_written_opens(tmp_path: Path, proven: Proven) -> None:
    out = tmp_path / "bundle"
    _write(out, proven)
    artefact = Bundle.open(out).artefact("mask")
    assert (artefact.engine, artefact.precision) == ("tflite", "int8")
    assert artefact.content == b"a network"
    assert artefact.contract == proven.contract
    assert artefact.evidence == EVIDENCE


def test_an_older_bundle_is_replaced_and_nothing_is_left_over(
    tmp_path: Path, proven: Proven
) -> None:
    out = tmp_path / "bundle"
    _write(out, proven)
    before = Bundle.open(out).digest
    _write(out, replace(proven, content=b"another network"))
    assert Bundle.open(out).digest != before
    assert sorted(os.listdir(tmp_path)) == ["bundle", "models"]


def test_a_folder_that_is_no_bundle_is_left_alone(tmp_path: Path, proven: Proven) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="is no bundle"):
        _write(tmp_path, proven)
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_nothing_is_written_when_the_bundle_would_not_open(tmp_path: Path, proven: Proven) -> None:
    out = tmp_path / "bundle"
    _write(out, proven)
    before = Bundle.open(out).digest
    with pytest.raises(BundleError, match="n: 0"):
        _write(out, replace(proven, evidence=replace(EVIDENCE, n=0)))
    assert Bundle.open(out).digest == before
    assert sorted(os.listdir(tmp_path)) == ["bundle", "models"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, proven: Proven) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="cannot be written"):
        _write(tmp_path / "file" / "bundle", proven)
