"""What the record beside an artefact says of how its INT8 came about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["means_beside"]

_MAX_BYTES = 64 * 1024 * 1024
_MOST, _LONGEST = 16, 500


def means_beside(path: Path) -> tuple[str, ...]:
    """Return what was done for an artefact beside rounding, by the record in its folder.

    Args:
        path: of the artefact; its record is ``NAME.json``, as ``convert`` writes it, or
            ``bundle.json``.

    Returns:
        As they are said there; nothing where there is no record of this very file. A record that
        cannot be read is none: the artefact can be looked at without it.
    """
    for name in (f"{path.name.partition('.')[0]}.json", "bundle.json"):
        record = path.with_name(name)
        try:
            if record.is_file() and record.stat().st_size <= _MAX_BYTES:
                return _means(json.loads(record.read_bytes()), path.name)
        except (OSError, ValueError, RecursionError):
            continue
    return ()


def _means(record: Any, file: str) -> tuple[str, ...]:
    for artefact in _artefacts(record):
        if artefact.get("file") == file:
            audit = artefact.get("audit")
            said = artefact.get("means") or (audit.get("means") if isinstance(audit, dict) else ())
            listed = said if isinstance(said, list) else []
            return tuple(text[:_LONGEST] for text in listed[:_MOST] if isinstance(text, str))
    return ()


def _artefacts(record: Any) -> Iterator[dict[str, Any]]:
    """Go through the artefacts of a conversion's record, or of a bundle's manifest."""
    if not isinstance(record, dict):
        return
    networks = record.get("networks")
    tables = [record, *networks.values()] if isinstance(networks, dict) else [record]
    for table in tables:
        listed = table.get("artefacts") if isinstance(table, dict) else None
        if isinstance(listed, list):
            yield from (artefact for artefact in listed if isinstance(artefact, dict))
