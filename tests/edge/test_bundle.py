"""A bundle opens whole and unaltered, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle, default_bundle
from edge.contract import TASKS
from edge.errors import BundleError, MissingInput
from edge.evidence import Audit, CalibrationRecord, Evidence
from tests.makers import EVIDENCE, USUAL, write_bundle

CALIBRATION = {
    "source": "faces",
    "split": "train",
    "count": 300,
    "sha256": "1" * 64,
    "method": "minmax",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


def edit(folder: Path, change: Callable[[Any], object]) -> None:
    """Change the manifest in place."""
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def _mask(manifest: Any) -> Any:
    return manifest["networks"]["mask"]["artefacts"][0]


def test_opens(folder: Path) -> None:
    bundle = Bundle.open(folder)
    assert bundle.name == "made-for-tests"
    assert bundle.tasks == USUAL
    assert bundle.digest == hashlib.sha256((folder / "bundle.json").read_bytes()).hexdigest()
    artefact = bundle.artefact("mask")
    assert artefact.content == (folder / "mask.null").read_bytes()
    assert artefact.contract.labels[0] == "masked"
    assert artefact.evidence == Evidence.from_json(EVIDENCE, where="x")
    assert artefact.where == str(folder / "mask.null")
    assert (artefact.size, artefact.audit) == (21, Audit("nothing computes"))


def test_says_where_each_network_comes_from(folder: Path) -> None:
    edit(folder, lambda m: m["networks"]["mask"].update(calibration=CALIBRATION))
    edit(folder, lambda m: m.update(tools={"torch": "2.13"}))
    bundle = Bundle.open(folder)
    mask = bundle.networks["mask"]
    assert (mask.licence, mask.terms, mask.recipe) == ("Apache-2.0", "made for tests", "test-mask")
    assert mask.calibration == CalibrationRecord("faces", "train", 300, "1" * 64, "minmax")
    assert mask.calibration.to_json() == CALIBRATION
    assert bundle.networks["edit"].calibration is None
    assert bundle.tools == {"torch": "2.13"}
    assert bundle.created == "2026-11-21T00:00:00Z"


def test_the_first_schema_opens() -> None:
    bundle = Bundle.open(default_bundle())
    assert set(bundle.tasks) <= set(TASKS)
    network, artefact = bundle.networks["mask"], bundle.artefact("mask")
    assert len(artefact.content) == artefact.size
    if json.loads((default_bundle() / "bundle.json").read_text())["schema"].endswith("/1"):
        assert (network.terms, network.calibration, artefact.audit) == ("", None, None)


def test_the_first_schema_has_no_terms(folder: Path) -> None:
    def first(manifest: Any) -> None:
        manifest["schema"] = "unveil-edge.bundle/1"
        for network in manifest["networks"].values():
            del network["terms"], network["artefacts"][0]["audit"]

    edit(folder, first)
    bundle = Bundle.open(folder)
    assert (bundle.networks["mask"].terms, bundle.artefact("mask").audit) == ("", None)


def test_an_artefact_that_is_altered_after_the_check_does_not_run(folder: Path) -> None:
    artefact = Bundle.open(folder).artefact("mask")
    for content in (b"nothing computes musk", b"nothing computes mask or more", b""):
        (folder / "mask.null").write_bytes(content)
        with pytest.raises(BundleError, match=r"mask\.null: is no"):
            _ = artefact.content
    (folder / "mask.null").unlink()
    with pytest.raises(BundleError, match=r"mask\.null: is missing"):
        _ = artefact.content


@pytest.mark.parametrize("schema", ["unveil-edge.bundle/3", "unveil-edge.report/1", None, 7])
def test_a_schema_that_is_not_understood_is_refused_with_those_that_are(
    folder: Path, schema: object
) -> None:
    edit(folder, lambda m: (m.update(schema=schema), m.update(later="more")))
    with pytest.raises(BundleError) as caught:
        Bundle.open(folder)
    assert caught.value.code == "bundle.schema"
    for said in (str(schema), "unveil-edge.bundle/1", "unveil-edge.bundle/2", "up to date"):
        assert said in str(caught.value)


def test_only_what_people_read_may_say_more(folder: Path) -> None:
    def more(manifest: Any) -> None:
        manifest["networks"]["mask"]["calibration"] = CALIBRATION | {"weather": "fine"}
        _mask(manifest)["evidence"] = EVIDENCE | {"weather": "fine"}
        _mask(manifest)["audit"]["weather"] = "fine"

    edit(folder, more)
    assert Bundle.open(folder).artefact("mask").audit == Audit("nothing computes")


def test_prefers_int8_tflite(folder: Path) -> None:
    wanted = [
        ("onnxruntime", "fp32"), ("tflite", "fp32"), ("tflite", "int8"), ("onnxruntime", "int8"),
    ]  # fmt: skip

    def more(manifest: Any) -> None:
        listed = manifest["networks"]["mask"]["artefacts"]
        only = listed.pop()
        listed += [only | {"engine": engine, "precision": kind} for engine, kind in wanted]

    edit(folder, more)
    bundle = Bundle.open(folder)

    def chosen(**wishes: str) -> tuple[str, str]:
        artefact = bundle.artefact("mask", **wishes)
        return artefact.engine, artefact.precision

    assert chosen() == ("tflite", "int8")
    assert chosen(engine="onnxruntime") == ("onnxruntime", "int8")
    assert chosen(precision="fp32") == ("tflite", "fp32")
    with pytest.raises(BundleError, match="no fp16 tflite artefact for the task 'mask'"):
        bundle.artefact("mask", engine="tflite", precision="fp16")


def test_a_task_may_be_left_out(tmp_path: Path) -> None:
    bundle = Bundle.open(write_bundle(tmp_path / "bundle", ["detect", "mask", "identity"]))
    assert bundle.tasks == ("detect", "mask", "identity")
    with pytest.raises(BundleError, match="no artefact for the task 'emotion'"):
        bundle.artefact("emotion")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="nowhere: no such folder or file"):
        Bundle.open(tmp_path / "nowhere")


def _link(folder: Path) -> None:
    (folder / "mask.null").rename(folder.parent / "elsewhere")
    (folder / "mask.null").symlink_to(folder.parent / "elsewhere")


def _pipe(folder: Path) -> None:
    (folder / "mask.null").unlink()
    os.mkfifo(folder / "mask.null")


def _folder_for_a_file(folder: Path) -> None:
    (folder / "mask.null").unlink()
    (folder / "mask.null").mkdir()


@pytest.mark.parametrize(
    ("damage", "named", "code"),
    [
        (lambda f: (f / "mask.null").unlink(), "mask.null", "bundle.missing"),
        (lambda f: (f / "bundle.json").unlink(), "bundle.json", "bundle.missing"),
        (lambda f: (f / "mask.null").write_bytes(b"nothing computes musk"), "mask.null",
         "bundle.altered"),  # as long as the true one
        (lambda f: (f / "mask.null").write_bytes(b""), "mask.null", "bundle.altered"),
        (lambda f: (f / "stray.txt").write_bytes(b""), "stray.txt", "bundle.foreign"),
        (lambda f: (f / ".hidden").write_bytes(b""), ".hidden", "bundle.foreign"),
        (_link, "mask.null", "bundle.read"),
        (_pipe, "mask.null", "bundle.read"),  # reading it would wait for ever
        (_folder_for_a_file, "mask.null", "bundle.read"),
        (lambda f: (f / "bundle.json").write_bytes(b"{"), "bundle.json", "bundle.json"),
        (lambda f: (f / "bundle.json").write_bytes(b"\xff\xfe\x00"), "bundle.json", "bundle.json"),
        (lambda f: (f / "bundle.json").write_bytes(b"[" * 10**6), "bundle.json", "bundle.json"),
        (lambda f: (f / "bundle.json").write_bytes(b" " * 5 * 2**20), "bundle.json",
         "bundle.read"),
        (lambda f: (f / "bundle.json").write_bytes(b"[]"), "bundle.json", "contract.value"),
    ],
)  # fmt: skip
def test_refuses_damage_by_name(
    folder: Path, damage: Callable[[Path], object], named: str, code: str
) -> None:
    damage(folder)
    with pytest.raises(BundleError) as caught:
        Bundle.open(folder)
    assert str(folder / named) in str(caught.value)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.pop("schema"), "schema"),
        (lambda m: m.pop("tools"), "tools"),
        (lambda m: m.update(tools={"torch": 2}), "torch"),
        (lambda m: m.update(tools=dict.fromkeys(map(str, range(65)), "1")), "tools"),
        (lambda m: m.update(weather="fine"), "bundle.weather"),
        (lambda m: m["networks"]["mask"].update(weather="fine"), "mask.weather"),
        (lambda m: m["networks"]["mask"].pop("licence"), "mask.licence"),
        (lambda m: m["networks"]["mask"].pop("terms"), "mask.terms"),
        (lambda m: m["networks"]["mask"].update(licence=""), "licence"),
        (lambda m: m["networks"]["mask"].update(terms="x" * 2001), "terms"),
        (lambda m: m["networks"]["mask"].update(calibration=CALIBRATION | {"count": 0}), "count"),
        (lambda m: m["networks"]["mask"].update(calibration=[]), "calibration"),
        (lambda m: _mask(m).update(weather="fine"), "mask.artefacts.weather"),
        (lambda m: _mask(m).update(precision="int7"), "int7"),
        (lambda m: _mask(m).update(audit={}), "label"),
        (lambda m: _mask(m).update(audit={"label": "INT8", "exceptions": [1]}), "exceptions"),
        (lambda m: m["networks"]["mask"]["artefacts"].append(_mask(m)), "two are for int8 null"),
        (lambda m: _mask(m).update(file="bundle.json.sig"), "no plain name"),
        (lambda m: _mask(m).update(file="a\\b"), "no plain name"),
        (lambda m: m.pop("networks"), "networks"),
        (lambda m: m["networks"].update(guess=m["networks"]["mask"]), "guess"),
        (lambda m: m["networks"]["mask"].update(artefacts=[]), "mask.artefacts"),
        (lambda m: _mask(m).update(file="../mask.null"), "no plain name"),
        (lambda m: _mask(m).update(file="/etc/passwd"), "no plain name"),
        (lambda m: _mask(m).update(file="bundle.json"), "no plain name"),
        (lambda m: _mask(m).update(file=".."), "no plain name"),
        (lambda m: _mask(m).update(file="mask\0.null"), "no plain name"),
        (lambda m: _mask(m).update(engine="shell"), "shell"),
        (lambda m: _mask(m).update(bytes=10**12), "bytes"),
        (lambda m: _mask(m).update(sha256="0" * 64), "sha256"),
        (lambda m: _mask(m).pop("sha256"), "sha256"),
        (lambda m: _mask(m)["contract"].update(task="emotion"), "emotion"),
        (lambda m: _mask(m).pop("contract"), "contract"),
        (lambda m: _mask(m).update(contract=None), "Contract"),
        (lambda m: _mask(m).pop("evidence"), "no evidence"),
        (lambda m: _mask(m).update(evidence={}), "no evidence"),
        (lambda m: _mask(m)["evidence"].pop("metric"), "metric"),
        (lambda m: _mask(m)["evidence"].pop("float"), "float"),
        (lambda m: _mask(m)["evidence"].pop("artefact"), "artefact"),
        (lambda m: _mask(m)["evidence"].pop("data"), "data"),
        (lambda m: _mask(m)["evidence"].update(n=0), "n:"),
        (lambda m: _mask(m)["evidence"].update(max_drop=-0.1), "max_drop"),
        (lambda m: _mask(m)["evidence"].update(max_drop="much"), "max_drop"),
        (lambda m: _mask(m)["evidence"].update(float=float("nan")), "float"),
        (lambda m: _mask(m)["evidence"].update(artefact="high"), "high"),
        (lambda m: _mask(m)["evidence"].update(ci95=[0.5]), "ci95"),
    ],
)
def test_refuses_a_manifest_that_does_not_hold(
    folder: Path, change: Callable[[Any], object], said: str
) -> None:
    edit(folder, change)
    with pytest.raises(BundleError) as caught:
        Bundle.open(folder)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_evidence_survives_json() -> None:
    evidence = Evidence.from_json(
        EVIDENCE | {"cosine_min": 0.99, "sqnr_db": None, "max_drop": 0.015}, where="x"
    )
    assert evidence.cosine_min == 0.99 and evidence.sqnr_db is None
    assert Evidence.from_json(evidence.to_json(), where="x") == evidence
