"""A bundle is written whole or not at all, as a folder and as one file."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle
from edge.errors import BundleError, MissingInput, OutputError
from edge.evidence import Audit, CalibrationRecord, Evidence
from export.bundles.pack import pack, unpack
from export.bundles.write import Proven, ProvenArtefact, write_bundle
from export.cards.card import read_card
from tests.export.makers import write_recipe
from tests.makers import make_contract

EVIDENCE = Evidence("accuracy", 0.98, 0.97, 200, "tiny/test", ci95=(0.94, 0.99), cosine_min=0.999)
CALIBRATION = CalibrationRecord("tiny", "train", 300, "1" * 64, "minmax")
INT8 = ProvenArtefact(
    "tflite", "int8", b"a network", make_contract("mask"), EVIDENCE, Audit("INT8")
)


@pytest.fixture
def proven(tmp_path: Path) -> Proven:
    folder = write_recipe(tmp_path / "models", "mask")
    card = read_card(folder / "model.toml")
    return Proven(card, hashlib.sha256(b"weights").hexdigest(), (INT8,), CALIBRATION)


def _write(out: Path, *networks: Proven) -> Bundle:
    return write_bundle(out, networks, name="test", tools={"torch": "2"})


def _changed(proven: Proven, **changes: Any) -> Proven:
    return replace(proven, artefacts=(replace(INT8, **changes),))


def test_what_is_written_opens(tmp_path: Path, proven: Proven) -> None:
    out = tmp_path / "bundle"
    _write(out, proven)
    bundle = Bundle.open(out)
    artefact = bundle.artefact("mask")
    assert (artefact.engine, artefact.precision) == ("tflite", "int8")
    assert artefact.content == b"a network"
    assert artefact.contract == INT8.contract
    assert artefact.evidence == EVIDENCE
    assert artefact.audit == Audit("INT8")
    network = bundle.networks["mask"]
    assert (network.licence, network.terms) == (proven.card.licence, proven.card.terms)
    assert (network.recipe, network.calibration) == ("mask", CALIBRATION)
    assert network.weights_sha256 == hashlib.sha256(b"weights").hexdigest()
    assert bundle.tools == {"torch": "2"}


def test_a_network_has_several_artefacts(tmp_path: Path, proven: Proven) -> None:
    kinds = [
        (engine, precision)
        for engine, precisions in (
            ("tflite", ("int8", "fp16", "fp32", "dynamic")),
            ("onnxruntime", ("fp32", "fp16", "int8")),
        )
        for precision in precisions
    ]
    artefacts = [
        replace(INT8, engine=engine, precision=precision, content=f"{engine} {precision}".encode())
        for engine, precision in kinds
    ]
    bundle = _write(tmp_path / "bundle", replace(proven, artefacts=tuple(artefacts)))
    assert [(a.engine, a.precision) for a in bundle.artefacts] == kinds
    assert [a.content for a in bundle.artefacts] == [a.content for a in artefacts]
    assert sorted(os.listdir(tmp_path / "bundle")) == [
        "bundle.json", "mask.dynamic.tflite", "mask.fp16.onnx", "mask.fp16.tflite",
        "mask.fp32.onnx", "mask.fp32.tflite", "mask.int8.onnx", "mask.int8.tflite",
    ]  # fmt: skip


def test_a_network_without_artefacts_is_refused(tmp_path: Path, proven: Proven) -> None:
    with pytest.raises(BundleError, match=r"mask\.artefacts"):
        _write(tmp_path / "bundle", replace(proven, artefacts=()))
    assert os.listdir(tmp_path) == ["models"]


def test_an_older_bundle_is_replaced_and_nothing_is_left_over(
    tmp_path: Path, proven: Proven
) -> None:
    out = tmp_path / "bundle"
    _write(out, proven)
    before = Bundle.open(out).digest
    _write(out, _changed(proven, content=b"another network"))
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
        _write(out, _changed(proven, evidence=replace(EVIDENCE, n=0)))
    assert Bundle.open(out).digest == before
    assert sorted(os.listdir(tmp_path)) == ["bundle", "models"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, proven: Proven) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="cannot be written"):
        _write(tmp_path / "file" / "bundle", proven)


def test_one_file_and_back(tmp_path: Path, proven: Proven) -> None:
    folder, one = tmp_path / "bundle", tmp_path / "test.bundle"
    made = _write(folder, proven)
    (folder / "bundle.json.sig").write_bytes(b"s" * 64)
    packed = pack(folder, one)
    assert packed.artefact("mask").content == b"a network"
    first = one.read_bytes()
    pack(folder, one)
    assert one.read_bytes() == first  # no date of its own
    again = unpack(one, tmp_path / "again")
    assert (packed.digest, again.digest) == (made.digest, made.digest)
    assert again.is_signed and again.artefact("mask").content == b"a network"
    assert {p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()} == {
        p.name: p.read_bytes() for p in folder.iterdir()
    }


def test_a_bundle_that_does_not_open_is_not_packed(tmp_path: Path, proven: Proven) -> None:
    folder, one = tmp_path / "bundle", tmp_path / "test.bundle"
    _write(folder, proven)
    one.write_bytes(b"an older one")
    (folder / "mask.int8.tflite").write_bytes(b"b network")
    with pytest.raises(BundleError, match=r"mask\.int8\.tflite: is not the file"):
        pack(folder, one)
    with pytest.raises(BundleError, match="neither"):
        unpack(one, tmp_path / "again")
    with pytest.raises(MissingInput):
        unpack(tmp_path / "nowhere", tmp_path / "again")
    assert one.read_bytes() == b"an older one"
    assert sorted(os.listdir(tmp_path)) == ["bundle", "models", "test.bundle"]


def test_nothing_else_is_overwritten(tmp_path: Path, proven: Proven) -> None:
    folder, one = tmp_path / "bundle", tmp_path / "test.bundle"
    _write(folder, proven)
    with pytest.raises(OutputError, match="is a folder"):
        pack(folder, tmp_path / "models")
    pack(folder, one)
    with pytest.raises(OutputError, match="is no bundle"):
        unpack(one, tmp_path / "models")
    with pytest.raises(OutputError, match="is no bundle"):
        unpack(one, one)
    assert Bundle.open(one).tasks == ("mask",)


def test_the_manifest_is_what_the_documentation_says(tmp_path: Path, proven: Proven) -> None:
    _write(tmp_path / "bundle", proven)
    manifest = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert list(manifest) == ["schema", "name", "created", "tools", "networks"]
    network = manifest["networks"]["mask"]
    assert list(network) == [
        "licence", "terms", "recipe", "weights_sha256", "calibration", "artefacts",
    ]  # fmt: skip
    assert list(network["artefacts"][0]) == [
        "file", "engine", "precision", "bytes", "sha256", "contract", "evidence", "audit",
    ]  # fmt: skip
