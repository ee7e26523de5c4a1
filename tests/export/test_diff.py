"""What differs between two bundles is said with its figures, and what does not is not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle
from export.bundles.diff import Change, diff, to_json, to_lines
from export.bundles.pack import pack
from tests.makers import make_contract, write_bundle

EVIDENCE = {
    "metric": "accuracy",
    "float": 0.98,
    "artefact": 0.97,
    "ci95": [0.96, 0.98],
    "n": 1000,
    "data": "mask3/test",
    "data_sha256": "1" * 64,
    "date": "2026-11-21",
    "engine": "tflite 2.3.0",
    "sqnr_db": 35.0,
}


def made(folder: Path, change: Callable[[Any], object] = lambda manifest: None) -> Bundle:
    write_bundle(folder, ["detect", "mask", "identity"])
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text())
    of(manifest)["evidence"] = dict(EVIDENCE)
    change(manifest)
    path.write_text(json.dumps(manifest))
    return Bundle.open(folder)


def of(manifest: Any, task: str = "mask") -> Any:
    return manifest["networks"][task]["artefacts"][0]


def changes(tmp_path: Path, change: Callable[[Any], object]) -> list[Change]:
    return diff(made(tmp_path / "a"), made(tmp_path / "b", change))


def test_the_same_bundle_has_no_difference(tmp_path: Path) -> None:
    a = made(tmp_path / "a")
    b = made(tmp_path / "b", lambda m: m.update(name="other", created="2027-01-01"))
    assert diff(a, b) == []
    assert to_json([]) == {"same": True, "changes": []}
    assert to_lines([]) == ["no difference"]
    packed = pack(tmp_path / "a", tmp_path / "a.bundle")
    assert diff(a, packed) == []
    later = made(tmp_path / "later", lambda m: of(m)["evidence"].update(date="2027-01-01"))
    assert diff(a, later) == []


def test_a_figure_inside_the_intervals(tmp_path: Path) -> None:
    new = {"artefact": 0.965, "ci95": [0.955, 0.975]}
    (change,) = changes(tmp_path, lambda m: of(m)["evidence"].update(new))
    assert (change.where, change.what) == ("mask int8 null", "evidence.accuracy")
    assert (change.before, change.after, change.inside) == (0.97, 0.965, True)
    assert change.difference == pytest.approx(-0.005)
    assert to_lines([change]) == [
        "mask int8 null",
        "    evidence.accuracy  0.97 -> 0.965  (-0.005, inside both 95 % intervals)",
    ]


@pytest.mark.parametrize(
    ("new", "inside"),
    [
        ({"artefact": 0.5, "ci95": [0.4, 0.6]}, False),
        ({"artefact": 0.961, "ci95": [0.9605, 0.9615]}, False),  # in the one, not in the other
        ({"artefact": 0.961, "ci95": None}, None),
        ({"artefact": 0.961, "data_sha256": "2" * 64}, None),
        ({"artefact": 0.961, "data": "mask3/val"}, None),
        ({"artefact": 0.961, "metric": "macro_f1"}, None),
    ],
)
def test_a_figure_outside_or_of_other_data(
    tmp_path: Path, new: dict[str, Any], inside: bool | None
) -> None:
    found = changes(tmp_path, lambda m: of(m)["evidence"].update(new))
    change = next(c for c in found if c.what.endswith(str(new.get("metric", "accuracy"))))
    assert change.inside is inside
    assert ("not to be compared" in change.note) == bool({"data", "data_sha256", "metric"} & {*new})
    assert {c.what for c in found} - {change.what} == {
        f"evidence.{key}" for key in new if key not in ("artefact", "ci95")
    }


def test_float_and_tensors_are_compared_as_well(tmp_path: Path) -> None:
    new = {"float": 0.985, "sqnr_db": 30.0, "n": 900, "engine": "tflite 2.4.0"}
    found = changes(tmp_path, lambda m: of(m)["evidence"].update(new))
    assert [(c.what, c.before, c.after) for c in found] == [
        ("evidence.accuracy in float", 0.98, 0.985),
        ("evidence.n", 1000, 900),
        ("evidence.engine", "tflite 2.3.0", "tflite 2.4.0"),
        ("evidence.sqnr_db", 35.0, 30.0),
    ]


def test_a_contract_by_its_fields_and_what_follows(tmp_path: Path) -> None:
    def other(manifest: Any) -> None:
        contract = of(manifest, "identity")["contract"]
        contract.update(revision="another", threshold=0.4)
        contract["outputs"][0]["scale"] = 0.5
        of(manifest)["contract"]["labels"] = ["a", "b", "c"]

    found = changes(tmp_path, other)
    assert [(c.where, c.what) for c in found] == [
        ("mask", "contract.labels"),
        ("identity", "contract.revision"),
        ("identity", "contract.threshold"),
        ("identity int8 null", "contract.outputs[0].scale"),
    ]
    assert "enrolled anew" in found[1].note
    assert (found[3].before, found[3].after) == (1 / 16, 0.5)


def test_what_all_artefacts_say_of_a_network_is_said_once(tmp_path: Path) -> None:
    def second(manifest: Any, **changes: object) -> None:
        artefacts = manifest["networks"]["identity"]["artefacts"]
        artefacts.append({**artefacts[0], "precision": "fp32"})
        for artefact in artefacts:
            artefact["contract"] = {**artefact["contract"], **changes}

    a = made(tmp_path / "a", second)
    b = made(tmp_path / "b", lambda m: second(m, threshold=0.4))
    assert [(c.where, c.what, c.after) for c in diff(a, b)] == [
        ("identity", "contract.threshold", 0.4)
    ]

    def one(manifest: Any) -> None:
        second(manifest)
        manifest["networks"]["identity"]["artefacts"][1]["contract"]["threshold"] = 0.4

    assert [c.where for c in diff(a, made(tmp_path / "c", one))] == ["identity fp32 null"]


def test_networks_and_artefacts_that_come_and_go(tmp_path: Path) -> None:
    def second(manifest: Any) -> None:
        artefacts = manifest["networks"]["mask"]["artefacts"]
        artefacts[:] = [{**artefacts[0], "precision": "fp16"}]
        del manifest["networks"]["identity"]

    a, b = made(tmp_path / "a"), made(tmp_path / "b", lambda m: None)
    (tmp_path / "b" / "identity.null").unlink()
    path = tmp_path / "b" / "bundle.json"
    manifest = json.loads(path.read_text())
    second(manifest)
    path.write_text(json.dumps(manifest))
    b = Bundle.open(tmp_path / "b")
    assert to_lines(diff(a, b)) == [
        "mask",
        "  - artefact  mask.null, 21 bytes",
        "  + artefact  mask.null, 21 bytes",
        "identity",
        "  - network  test-identity, Apache-2.0",
    ]
    assert [c.what for c in diff(b, a) if c.before is None] == ["artefact", "network"]


def test_origins_and_tools(tmp_path: Path) -> None:
    def other(manifest: Any) -> None:
        manifest["tools"] = {"torch": "2.13"}
        manifest["networks"]["mask"].update(
            licence="MIT", terms="other", weights_sha256="1" * 64,
            calibration={"source": "faces", "split": "train", "count": 300, "sha256": "2" * 64,
                         "method": "entropy"},
        )  # fmt: skip
        of(manifest)["audit"] = {"label": "int8 except 1: SOFTMAX x", "exceptions": ["SOFTMAX x"]}

    assert [(c.where, c.what, c.before, c.after) for c in changes(tmp_path, other)] == [
        ("bundle", "tools.torch", None, "2.13"),
        ("mask", "licence", "Apache-2.0", "MIT"),
        ("mask", "terms", "made for tests", "other"),
        ("mask", "weights_sha256", "0" * 64, "1" * 64),
        ("mask", "calibration.source", None, "faces"),
        ("mask", "calibration.split", None, "train"),
        ("mask", "calibration.count", None, 300),
        ("mask", "calibration.sha256", None, "2" * 64),
        ("mask", "calibration.method", None, "entropy"),
        ("mask int8 null", "audit.label", "nothing computes", "int8 except 1: SOFTMAX x"),
        ("mask int8 null", "audit.exceptions", [], ["SOFTMAX x"]),
    ]


def test_another_file_and_a_signature(tmp_path: Path) -> None:
    a = made(tmp_path / "a")
    contracts = {"mask": make_contract("mask")}
    write_bundle(tmp_path / "b", ["detect", "mask", "identity"], contracts=contracts)
    content = b"nothing computes mask at all"
    (tmp_path / "b" / "mask.null").write_bytes(content)
    (tmp_path / "b" / "bundle.json.sig").write_bytes(bytes(64))
    path = tmp_path / "b" / "bundle.json"
    manifest = json.loads(path.read_text())
    of(manifest).update(
        bytes=len(content), sha256=hashlib.sha256(content).hexdigest(), evidence=EVIDENCE
    )
    path.write_text(json.dumps(manifest))
    found = diff(a, Bundle.open(tmp_path / "b"))
    assert [(c.where, c.what) for c in found] == [
        ("bundle", "signature"),
        ("mask int8 null", "sha256"),
        ("mask int8 null", "bytes"),
    ]
    assert (found[2].before, found[2].after, found[2].note) == (21, 28, "+33.3 %")


def test_json_is_plain_and_lines_do_not_steer_a_terminal(tmp_path: Path) -> None:
    evil = "\x1b[2Jgone" + "x" * 500
    found = changes(tmp_path, lambda m: m["networks"]["mask"].update(terms=evil))
    table = json.loads(json.dumps(to_json(found)))
    assert table == {
        "same": False,
        "changes": [{"where": "mask", "what": "terms", "before": "made for tests", "after": evil}],
    }
    text = "\n".join(to_lines(found))
    assert "\x1b" not in text and len(text) < 200
