"""The folder that carries networks to a device: every byte digested, every network proven.

BUNDLE/bundle.json    names, digests, contracts, evidence
BUNDLE/<file>         one artefact each, nothing else
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from edge.check import Check
from edge.contract import TASKS, Contract
from edge.errors import BundleError, MissingInput
from edge.evidence import Evidence

__all__ = ["ENGINES", "MANIFEST", "SCHEMA", "Artefact", "Bundle", "default_bundle"]

SCHEMA = "unveil-edge.bundle/1"
MANIFEST = "bundle.json"
#: Engines an artefact can be made for.
ENGINES = ("tflite", "onnxruntime", "null")

_MAX_MANIFEST_BYTES = 4 * 1024 * 1024
_MAX_ARTEFACT_BYTES = 64 * 1024 * 1024
_HINT = "copy the bundle again, or make it with: edge-export make --out BUNDLE"


def default_bundle() -> Path:
    """Return the folder of the bundle that ships with the package."""
    return Path(__file__).parent / "bundles" / "default"


@dataclass(frozen=True, slots=True)
class Artefact:
    """One network file that one engine runs.

    Attributes:
        task: one of ``contract.TASKS``.
        file: plain name inside the bundle.
        engine: one of ``ENGINES``.
        precision: such as ``int8`` or ``fp32``.
        content: the very bytes that were digested.
        contract: what its tensors mean.
        evidence: what was measured before it was let in.
        where: the file with its folder, for messages.
    """

    task: str
    file: str
    engine: str
    precision: str
    content: bytes
    contract: Contract
    evidence: Evidence
    where: str


class Bundle:
    """A bundle that was read and checked; holds no open file.

    Attributes:
        name: of the bundle.
        digest: sha256 of ``bundle.json``, which holds the digests of all else.
        artefacts: all of them, in the manifest's order.
    """

    def __init__(self, name: str, digest: str, artefacts: tuple[Artefact, ...]) -> None:
        self.name = name
        self.digest = digest
        self.artefacts = artefacts

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks that have a network, in the order of ``contract.TASKS``."""
        present = {artefact.task for artefact in self.artefacts}
        return tuple(task for task in TASKS if task in present)

    def artefact(
        self, task: str, engine: str | None = None, precision: str | None = None
    ) -> Artefact:
        """Return the artefact of a task; among several INT8 TFLite goes first.

        Args:
            task: one of ``contract.TASKS``.
            engine: only one for this engine.
            precision: only one of this precision.

        Raises:
            BundleError: the bundle has none.
        """
        fitting = [
            a
            for a in self.artefacts
            if a.task == task and engine in (None, a.engine) and precision in (None, a.precision)
        ]
        if not fitting:
            wanted = " ".join(part for part in (precision, engine) if part)
            raise BundleError(
                f"bundle {self.name}: no {wanted} artefact for the task {task!r}".replace(
                    "  ", " "
                ),
                hint=_HINT,
                code="bundle.task",
            )
        return min(fitting, key=lambda a: (a.engine != "tflite", a.precision != "int8"))

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Bundle:
        """Read and check a whole bundle.

        Args:
            path: its folder.

        Raises:
            MissingInput: there is no such folder.
            BundleError: a file is missing, altered or foreign, a contract does not hold, or an
                artefact has no evidence.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise MissingInput(f"bundle {folder}: no such folder", hint=_HINT, code="bundle.folder")
        text = _read(folder / MANIFEST, _MAX_MANIFEST_BYTES)
        check = Check(str(folder / MANIFEST))
        manifest = check.mapping(_parse(text, folder / MANIFEST), "bundle")
        check.one_of(manifest, "schema", (SCHEMA,))
        artefacts = tuple(_artefacts(folder, check, manifest.get("networks")))
        _refuse_foreign(folder, {artefact.file for artefact in artefacts})
        return cls(check.text(manifest, "name"), hashlib.sha256(text).hexdigest(), artefacts)


def _artefacts(folder: Path, check: Check, raw: object) -> list[Artefact]:
    artefacts: list[Artefact] = []
    for task, network in check.mapping(raw, "networks").items():
        check.one_of({"task": task}, "task", TASKS)
        listed = check.mapping(network, task).get("artefacts")
        artefacts += [
            _artefact(folder, check, task, item)
            for item in check.items(listed, f"{task}.artefacts", 1, 16)
        ]
    return artefacts


def _artefact(folder: Path, check: Check, task: str, raw: object) -> Artefact:
    fields = check.mapping(raw, f"{task}.artefacts")
    file = check.text(fields, "file")
    if Path(file).name != file or file in (MANIFEST, "..") or "\0" in file:
        check.fail("file", f"{file!r} is no plain name")
    where = f"{folder / MANIFEST}: {file}"
    contract = Contract.from_json(fields.get("contract"), where=where)
    if contract.task != task:
        check.fail(task, f"the contract of {file} is for the task {contract.task!r}")
    return Artefact(
        task=task,
        file=file,
        engine=check.one_of(fields, "engine", ENGINES),
        precision=check.text(fields, "precision"),
        content=_content(folder / file, check, fields),
        contract=contract,
        evidence=Evidence.from_json(fields.get("evidence"), where=where),
        where=str(folder / file),
    )


def _content(path: Path, check: Check, fields: object) -> bytes:
    """Read an artefact once and compare it with the manifest."""
    table = check.mapping(fields, "artefact")
    size = check.integer(table, "bytes", 1, _MAX_ARTEFACT_BYTES)
    content = _read(path, _MAX_ARTEFACT_BYTES)
    digest = hashlib.sha256(content).hexdigest()
    if len(content) != size or digest != table.get("sha256"):
        raise BundleError(
            f"{path}: has {len(content)} bytes with sha256 {digest[:12]}..., "
            f"not those of {MANIFEST}",
            hint=_HINT,
            code="bundle.altered",
        )
    return content


def _read(path: Path, limit: int) -> bytes:
    """Read a plain file of at most ``limit`` bytes; a pipe or a link is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            plain = stat.S_ISREG(os.fstat(handle).st_mode)
            if plain:
                with open(handle, "rb", closefd=False) as stream:
                    content = stream.read(limit + 1)
        finally:
            os.close(handle)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: is missing", hint=_HINT, code="bundle.missing") from error
    except OSError as error:
        raise BundleError(
            f"{path}: cannot be read: {error.strerror or error}", hint=_HINT, code="bundle.read"
        ) from error
    if not plain or len(content) > limit:
        raise BundleError(
            f"{path}: is no plain file of at most {limit} bytes", hint=_HINT, code="bundle.read"
        )
    return content


def _parse(text: bytes, path: Path) -> object:
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: is no JSON: {error}", hint=_HINT, code="bundle.json") from error
    return parsed


def _refuse_foreign(folder: Path, named: set[str]) -> None:
    for entry in sorted(os.listdir(folder)):
        if entry not in named | {MANIFEST}:
            raise BundleError(
                f"{folder / entry}: {MANIFEST} does not name this file",
                hint="take it out of the folder, or make the bundle again",
                code="bundle.foreign",
            )
