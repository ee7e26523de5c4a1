"""Write a bundle of networks that passed their gates: the whole folder or nothing."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.bundle import MANIFEST, Bundle
from edge.contract import Contract
from edge.evidence import MAX_LINE, Audit, CalibrationRecord, Evidence
from edge.manifest import SCHEMA
from export.bundles.pack import replace_folder
from export.cards.card import Card

if TYPE_CHECKING:
    import export.inspection.audit

__all__ = ["Proven", "ProvenArtefact", "artefact_file", "summary", "write_bundle"]

#: End of the file's name, by engine.
_SUFFIXES = {"tflite": "tflite", "onnxruntime": "onnx"}


@dataclass(frozen=True, slots=True)
class ProvenArtefact:
    """A file that passed its gate.

    Attributes:
        engine: that it was proven on, ``tflite`` or ``onnxruntime``.
        precision: one of ``edge.manifest.PRECISIONS``.
        content: the file.
        contract: what its tensors mean.
        evidence: what was measured.
        audit: what it may be called; None where nobody looked.
    """

    engine: str
    precision: str
    content: bytes
    contract: Contract
    evidence: Evidence
    audit: Audit | None = None


@dataclass(frozen=True, slots=True)
class Proven:
    """A network and its artefacts.

    Attributes:
        card: says licence, terms and what the network is for.
        weights_sha256: digest of the trained weights, or of the foreign file, that went in.
        artefacts: at least one, each of another engine or precision.
        calibration: where the INT8 ranges come from.
    """

    card: Card
    weights_sha256: str
    artefacts: tuple[ProvenArtefact, ...]
    calibration: CalibrationRecord | None = None


def write_bundle(
    out: Path, networks: Sequence[Proven], *, name: str, tools: dict[str, str]
) -> Bundle:
    """Write a bundle's folder.

    Args:
        out: the folder; an older bundle there is replaced, anything else is left alone.
        networks: one a task.
        name: of the bundle.
        tools: versions of what made it.

    Returns:
        The bundle as the device will read it.

    Raises:
        OutputError: ``out`` is no bundle, or the disk is full or read-only.
        BundleError: what was written does not open.
    """
    return replace_folder(out, _files(networks, name, tools))


def summary(found: export.inspection.audit.Audit, means: Sequence[str] = ()) -> Audit:
    """Return the part of an audit that goes into a bundle.

    Args:
        found: the audit.
        means: what was done for INT8 beside rounding.
    """
    lines = (f"{o.op} {o.name}: {o.precision}, {o.reason}" for o in found.exceptions)
    return Audit(
        found.label[:MAX_LINE],
        tuple(line[:MAX_LINE] for line in lines),
        tuple(line[:MAX_LINE] for line in means),
    )


def _files(
    networks: Sequence[Proven], name: str, tools: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    for network in networks:
        for artefact in network.artefacts:
            yield artefact_file(network.card, artefact), artefact.content
    now = datetime.datetime.now(datetime.timezone.utc)
    manifest = {
        "schema": SCHEMA,
        "name": name,
        "created": now.isoformat(timespec="seconds"),
        "tools": tools,
        "networks": {network.card.task: _network(network) for network in networks},
    }
    yield MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode()


def _network(network: Proven) -> dict[str, object]:
    card, calibration = network.card, network.calibration
    return {
        "licence": card.licence,
        "terms": card.terms,
        "recipe": card.name,
        "weights_sha256": network.weights_sha256,
        **({} if calibration is None else {"calibration": calibration.to_json()}),
        "artefacts": [_artefact(network, artefact) for artefact in network.artefacts],
    }


def _artefact(network: Proven, artefact: ProvenArtefact) -> dict[str, object]:
    audit = artefact.audit
    return {
        "file": artefact_file(network.card, artefact),
        "engine": artefact.engine,
        "precision": artefact.precision,
        "bytes": len(artefact.content),
        "sha256": hashlib.sha256(artefact.content).hexdigest(),
        "contract": artefact.contract.to_json(),
        "evidence": artefact.evidence.to_json(),
        **({} if audit is None else {"audit": audit.to_json()}),
    }


def artefact_file(card: Card, artefact: ProvenArtefact) -> str:
    """Return the plain name that an artefact has in its bundle."""
    return f"{card.task}.{artefact.precision}.{_SUFFIXES[artefact.engine]}"
