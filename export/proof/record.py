"""The record of the proof: one row a network, kept from run to run."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.fingerprint import machine
from edge.errors import DataError
from export.cache import tool_versions
from export.making.steps import TOOLS
from export.proof.row import Row
from export.proof.subject import CALIBRATION, HELD_BACK

__all__ = ["SCHEMA", "earlier_rows", "record"]

SCHEMA = "unveil-edge.foreign/1"
_TOOLS = (*TOOLS, "onnxruntime", "tensorflow-cpu")


def earlier_rows(path: Path, *, limit: int | None) -> dict[str, Mapping[str, Any]]:
    """Return the rows of an earlier run by name; none if it judged other numbers of pictures.

    Raises:
        DataError: the file is no record.
    """
    if not path.is_file():
        return {}
    try:
        raw = json.loads(path.read_bytes())
        if raw["schema"] != SCHEMA:
            raise ValueError(f"schema {raw['schema']!r}")
        rows = {str(row["name"]): row for row in raw["rows"]}
        return rows if raw["limit"] == limit else {}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: is no record of this command: {error}",
            hint="name another file with --out",
            code="proof.record",
        ) from error


def record(
    order: Sequence[str],
    rows: Mapping[str, Row],
    earlier: Mapping[str, Mapping[str, Any]],
    *,
    limit: int | None,
) -> dict[str, Any]:
    """Return the record.

    Args:
        order: names of all networks, as they stand in the table.
        rows: of this run.
        earlier: rows of networks that this run left alone.
        limit: of pictures or pairs a trial.
    """
    plain = {**earlier, **{name: row.to_json() for name, row in rows.items()}}
    return {
        "schema": SCHEMA,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "tools": tool_versions(*_TOOLS),
        "limit": limit,
        "calibration": CALIBRATION,
        "held_back": HELD_BACK,
        "rows": [plain[name] for name in order if name in plain],
    }
