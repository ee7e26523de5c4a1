"""What carries networks to a device: every byte digested, every network proven.

BUNDLE/bundle.json      names, digests, contracts, evidence; see ``manifest``
BUNDLE/bundle.json.sig  signature of that file's bytes; may be left out
BUNDLE/<file>           one artefact each, nothing else

or one file with the same in it, see ``bundle_files``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle_files import HINT, BundleFiles, open_files, read
from edge.errors import BundleError
from edge.manifest import MANIFEST, MAX_MANIFEST_BYTES, Artefact, Network, read_manifest
from edge.signature import SIGNATURE, SIGNATURE_BYTES, PublicKey, signer

__all__ = ["MANIFEST", "Artefact", "Bundle", "Network", "default_bundle"]


def default_bundle() -> Path:
    """Return the folder of the bundle that ships with the package."""
    return Path(__file__).parent / "bundles" / "default"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was read and checked; holds no open file and no network.

    Attributes:
        name: of the bundle.
        digest: sha256 of ``bundle.json``, which holds the digests of all else.
        created: ISO date and time.
        tools: version of what made it, by name.
        networks: by task, in the order of ``contract.TASKS``.
        artefacts: all of them, in the manifest's order.
        is_signed: whether a signature lies beside the manifest, checked or not.
        signed_by: the trusted key that made it; None where no signature was demanded.
    """

    name: str
    digest: str
    created: str
    tools: Mapping[str, str]
    networks: Mapping[str, Network]
    artefacts: tuple[Artefact, ...]
    is_signed: bool
    signed_by: PublicKey | None

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks that have a network, in the order of ``contract.TASKS``."""
        return tuple(self.networks)

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
            wanted = " ".join(part for part in ("no", precision, engine) if part)
            raise BundleError(
                f"bundle {self.name}: {wanted} artefact for the task {task!r}",
                hint=HINT,
                code="bundle.task",
            )
        return min(fitting, key=lambda a: (a.engine != "tflite", a.precision != "int8"))

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, keys: Sequence[PublicKey] | None = None
    ) -> Bundle:
        """Read and check a whole bundle.

        Args:
            path: its folder, or its one file.
            keys: demand a signature by one of these, before anything else is looked at; None
                demands none, and a signature that is there stays unchecked.

        Raises:
            MissingInput: there is no such folder or file.
            BundleError: a file is missing, altered or foreign, a contract does not hold, an
                artefact has no evidence, or a signature is demanded and is not there or not good.
            UnavailableError: a signature is demanded and cryptography is not installed.
        """
        files = open_files(Path(path))
        text = read(files, MANIFEST, MAX_MANIFEST_BYTES)
        signed_by = None if keys is None else _signer(files, text, keys)
        manifest = read_manifest(files, text)
        _refuse_foreign(files, {artefact.file for artefact in manifest.artefacts})
        return cls(
            name=manifest.name,
            digest=hashlib.sha256(text).hexdigest(),
            created=manifest.created,
            tools=manifest.tools,
            networks=manifest.networks,
            artefacts=manifest.artefacts,
            is_signed=SIGNATURE in files.names(),
            signed_by=signed_by,
        )


def _signer(files: BundleFiles, text: bytes, keys: Sequence[PublicKey]) -> PublicKey:
    """Hold the manifest's bytes against the signature beside them."""
    where = files.where(SIGNATURE)
    if SIGNATURE not in files.names():
        raise BundleError(
            f"{where}: is missing, and a signature is demanded",
            hint="sign it where it was made with: edge-export bundle sign BUNDLE --key KEY",
            code="bundle.unsigned",
        )
    return signer(keys, text, read(files, SIGNATURE, SIGNATURE_BYTES), where=where)


def _refuse_foreign(files: BundleFiles, named: set[str]) -> None:
    for name in files.names():
        if name not in named | {MANIFEST, SIGNATURE}:
            raise BundleError(
                f"{files.where(name)}: {MANIFEST} does not name this file",
                hint="take it out of the bundle, or make the bundle again",
                code="bundle.foreign",
            )
