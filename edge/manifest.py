"""``bundle.json``: which networks a bundle has, in which files, and how each was proven.

A key that is not known is refused, except inside ``evidence``, ``audit`` and ``calibration``, which
people read and no device acts on. Schema 1 lacked ``terms``, ``calibration`` and ``audit``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.bundle_files import HINT, BundleFiles, is_plain, measure, read
from edge.check import Check
from edge.contract import TASKS, Contract
from edge.errors import BundleError
from edge.evidence import Audit, CalibrationRecord, Evidence
from edge.signature import SIGNATURE

__all__ = [
    "ENGINES",
    "MANIFEST",
    "MAX_MANIFEST_BYTES",
    "PRECISIONS",
    "SCHEMA",
    "Artefact",
    "Manifest",
    "Network",
    "read_manifest",
]

#: The one that export writes.
SCHEMA = "unveil-edge.bundle/2"
MANIFEST = "bundle.json"
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
#: Engines an artefact can be made for.
ENGINES = ("tflite", "onnxruntime", "null")
#: Of weights and activations; ``fp16`` and ``dynamic`` (int8) are those of the weights alone.
PRECISIONS = ("int8", "fp16", "fp32", "dynamic")

_FIRST_SCHEMA = "unveil-edge.bundle/1"
#: A U-Net of 54 million parameters in float has 214 MiB.
_MAX_ARTEFACT_BYTES = 256 * 1024 * 1024
_MAX_ARTEFACTS = 16
_MAX_TOOLS = 64
_MAX_TERMS = 2000


@dataclass(frozen=True, slots=True)
class Network:
    """What all artefacts of one network share.

    Attributes:
        licence: of code and weights.
        terms: of the data that the network learned from; empty in schema 1.
        recipe: name of its card.
        weights_sha256: digest of the trained weights that went in.
        calibration: where the INT8 ranges come from; None where none were taken, and in schema 1.
    """

    licence: str
    terms: str
    recipe: str
    weights_sha256: str
    calibration: CalibrationRecord | None


@dataclass(frozen=True, slots=True)
class Artefact:
    """One network file that one engine runs.

    Attributes:
        task: one of ``contract.TASKS``.
        file: plain name inside the bundle.
        engine: one of ``ENGINES``.
        precision: one of ``PRECISIONS``.
        size: bytes of the file.
        sha256: of the file.
        contract: what its tensors mean.
        evidence: what was measured before it was let in.
        audit: what it may be called; None in schema 1.
        where: the file with its place, for messages.
    """

    task: str
    file: str
    engine: str
    precision: str
    size: int
    sha256: str
    contract: Contract
    evidence: Evidence
    audit: Audit | None
    where: str
    _files: BundleFiles = field(repr=False, compare=False)

    @property
    def content(self) -> bytes:
        """The file's bytes, read now and held against their digest; nobody keeps them for you.

        Raises:
            BundleError: the file was altered since the bundle was opened.
        """
        content = read(self._files, self.file, self.size)
        _match(self, len(content), hashlib.sha256(content).hexdigest())
        return content


@dataclass(frozen=True, slots=True)
class Manifest:
    """The checked content of ``bundle.json``; see ``Bundle`` for the attributes."""

    name: str
    created: str
    tools: Mapping[str, str]
    networks: Mapping[str, Network]
    artefacts: tuple[Artefact, ...]


def read_manifest(files: BundleFiles, text: bytes) -> Manifest:
    """Check a manifest and every file that it names.

    Args:
        files: of the bundle.
        text: what ``bundle.json`` holds; untrusted.

    Raises:
        BundleError: a file is missing or altered, a key is missing or unknown, a contract does not
            hold, or an artefact has no evidence.
    """
    check = Check(files.where(MANIFEST))
    manifest = check.mapping(_parse(text, check.where), "bundle")
    _check_schema(check, manifest.get("schema"))
    manifest = _fields(check, manifest, "bundle", "schema name created tools networks")
    terms = " terms" if manifest["schema"] == SCHEMA else ""
    tables = {
        check.one_of({"task": task}, "task", TASKS): _fields(
            check, raw, task, f"licence recipe weights_sha256 artefacts{terms}", "calibration"
        )
        for task, raw in check.mapping(manifest["networks"], "networks").items()
    }
    return Manifest(
        name=check.text(manifest, "name"),
        created=check.text(manifest, "created"),
        tools=_tools(check, manifest["tools"]),
        networks={task: _network(check, tables[task]) for task in TASKS if task in tables},
        artefacts=tuple(
            artefact for task in tables for artefact in _artefacts(files, check, task, tables[task])
        ),
    )


def _check_schema(check: Check, schema: object) -> None:
    if schema not in (_FIRST_SCHEMA, SCHEMA):
        raise BundleError(
            f"{check.where}: schema {str(schema)[:60]!r} is not understood, only "
            f"{_FIRST_SCHEMA!r} and {SCHEMA!r} are",
            hint="bring unveil-edge up to date, or make the bundle with this version",
            code="bundle.schema",
        )


def _fields(check: Check, raw: object, key: str, needed: str, more: str = "") -> Mapping[str, Any]:
    """Return a table that has every needed key and none but those and ``more``."""
    table = check.mapping(raw, key)
    for name in needed.split():
        if name not in table:
            check.fail(f"{key}.{name}", "is missing")
    known = [*needed.split(), *more.split()]
    for name in table:
        if name not in known:
            check.fail(f"{key}.{name}", f"is unknown; known are {', '.join(known)}")
    return table


def _tools(check: Check, raw: object) -> Mapping[str, str]:
    table = check.mapping(raw, "tools")
    if len(table) > _MAX_TOOLS:
        check.fail("tools", f"are more than {_MAX_TOOLS}")
    return {name: check.text(table, name, empty=True) for name in table}


def _network(check: Check, fields: Mapping[str, Any]) -> Network:
    calibration = fields.get("calibration")
    return Network(
        licence=check.text(fields, "licence", most=_MAX_TERMS),
        terms=check.text({"terms": "", **fields}, "terms", empty=True, most=_MAX_TERMS),
        recipe=check.text(fields, "recipe"),
        weights_sha256=check.text(fields, "weights_sha256"),
        calibration=None
        if calibration is None
        else CalibrationRecord.from_json(calibration, where=check.where),
    )


def _artefacts(
    files: BundleFiles, check: Check, task: str, network: Mapping[str, Any]
) -> list[Artefact]:
    artefacts: list[Artefact] = []
    kinds = set()
    for raw in check.items(network["artefacts"], f"{task}.artefacts", 1, _MAX_ARTEFACTS):
        artefact = _artefact(files, check, task, raw)
        kind = f"{artefact.precision} {artefact.engine}"
        if kind in kinds:
            check.fail(f"{task}.artefacts", f"two are for {kind}")
        kinds.add(kind)
        artefacts.append(artefact)
    return artefacts


def _artefact(files: BundleFiles, check: Check, task: str, raw: object) -> Artefact:
    fields = _fields(
        check, raw, f"{task}.artefacts", "file engine precision bytes sha256 contract",
        "evidence audit",
    )  # fmt: skip
    file = check.text(fields, "file")
    if not is_plain(file) or file in (MANIFEST, SIGNATURE):
        check.fail("file", f"{file!r} is no plain name")
    where = f"{check.where}: {file}"
    contract = Contract.from_json(fields["contract"], where=where)
    if contract.task != task:
        check.fail(task, f"the contract of {file} is for the task {contract.task!r}")
    audit = fields.get("audit")
    artefact = Artefact(
        task=task,
        file=file,
        engine=check.one_of(fields, "engine", ENGINES),
        precision=check.one_of(fields, "precision", PRECISIONS),
        size=check.integer(fields, "bytes", 1, _MAX_ARTEFACT_BYTES),
        sha256=check.text(fields, "sha256"),
        contract=contract,
        evidence=Evidence.from_json(fields.get("evidence"), where=where),
        audit=None if audit is None else Audit.from_json(audit, where=where),
        where=files.where(file),
        _files=files,
    )
    _match(artefact, *measure(files, file, artefact.size))
    return artefact


def _match(artefact: Artefact, size: int, digest: str) -> None:
    """Compare what a file holds with what the manifest says."""
    if (size, digest) != (artefact.size, artefact.sha256):
        raise BundleError(
            f"{artefact.where}: is not the file that {MANIFEST} names: sha256 {digest[:12]}... "
            f"where it says {artefact.sha256[:12]}...",
            hint=HINT,
            code="bundle.altered",
        )


def _parse(text: bytes, where: str) -> object:
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: is no JSON: {error}", hint=HINT, code="bundle.json") from error
    return parsed
