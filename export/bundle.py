"""Write a bundle: the whole folder or nothing."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import MANIFEST, SCHEMA, Bundle
from edge.contract import Contract
from edge.errors import OutputError
from edge.evidence import Evidence
from edge.files import write_whole
from export.card import Card
from export.load import WEIGHTS

__all__ = ["Proven", "write_bundle"]


@dataclass(frozen=True, slots=True)
class Proven:
    """An INT8 TFLite file that passed its gate."""

    card: Card
    content: bytes
    contract: Contract
    evidence: Evidence


def write_bundle(
    out: Path, networks: Sequence[Proven], *, name: str, tools: dict[str, str]
) -> Bundle:
    """Write a bundle folder beside its target, read it back, and rename it.

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
    _check_target(out)
    part = out.with_name(f".{secrets.token_hex(8)}.part")
    old = out.with_name(f".{secrets.token_hex(8)}.old")
    try:
        part.mkdir(parents=True)
        manifest = _manifest(networks, name, tools)
        for network in networks:
            write_whole(part / _file(network), network.content)
        write_whole(part / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
        bundle = Bundle.open(part)
        if out.exists():
            out.rename(old)
        part.rename(out)
        _sync(out.parent)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written: {error.strerror}",
            hint="free some space or name another folder with --out",
            code="output.write",
        ) from error
    finally:
        if old.exists() and not out.exists():
            old.rename(out)
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return bundle


def _check_target(out: Path) -> None:
    """Refuse to replace a folder that is no bundle: it may be somebody's home."""
    taken = out.exists() or out.is_symlink()
    if taken and not (out.is_dir() and ((out / MANIFEST).is_file() or not any(out.iterdir()))):
        raise OutputError(
            f"{out}: is there already and is no bundle",
            hint="name another folder with --out, or remove this one",
            code="output.exists",
        )


def _file(network: Proven) -> str:
    return f"{network.card.task}.int8.tflite"


def _manifest(networks: Sequence[Proven], name: str, tools: dict[str, str]) -> dict[str, object]:
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "schema": SCHEMA,
        "name": name,
        "created": now.isoformat(timespec="seconds"),
        "tools": tools,
        "networks": {network.card.task: _entry(network) for network in networks},
    }


def _entry(network: Proven) -> dict[str, object]:
    weights = network.card.folder / WEIGHTS
    return {
        "licence": network.card.licence,
        "recipe": network.card.name,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "artefacts": [
            {
                "file": _file(network),
                "engine": "tflite",
                "precision": "int8",
                "bytes": len(network.content),
                "sha256": hashlib.sha256(network.content).hexdigest(),
                "contract": network.contract.to_json(),
                "evidence": network.evidence.to_json(),
            }
        ],
    }


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
