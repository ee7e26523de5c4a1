"""Read and write one result file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from benchmarks.records.accuracy import AccuracyRecord
from benchmarks.records.check import CODE, ResultCheck
from benchmarks.records.latency import LatencyRecord
from benchmarks.records.sweep import SweepRecord
from edge.errors import DataError, MissingInput
from edge.files import write_whole

__all__ = ["SCHEMA", "Record", "parse_record", "read_record", "write_record"]

#: Name and version of every result.
SCHEMA = "unveil-edge.bench/2"

Record: TypeAlias = LatencyRecord | AccuracyRecord | SweepRecord

#: By the key ``kind``.
_KINDS: dict[str, type[LatencyRecord] | type[AccuracyRecord] | type[SweepRecord]] = {
    "latency": LatencyRecord,
    "accuracy": AccuracyRecord,
    "sweep": SweepRecord,
}
#: Two million latencies of ten digits have 24 MiB.
_MAX_BYTES = 32 * 1024 * 1024
#: Lists, tables and quotation marks that the longest result may have; counted before it is parsed,
#: for each costs some sixty bytes of memory, and a file may hold nothing else.
_MAX_PARTS = 200_000


def read_record(path: Path) -> Record:
    """Read a result file.

    Raises:
        MissingInput: it cannot be opened.
        DataError: it is no result, or one of another schema (``bench.result``).
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise MissingInput(
            f"{path}: {(error.strerror or 'cannot be read').lower()}",
            hint="name a file that edge-bench wrote",
            code="bench.missing",
        ) from error
    if len(content) > _MAX_BYTES:
        _refuse(str(path), f"is larger than {_MAX_BYTES} bytes")
    if content.count(b"[") + content.count(b"{") + content.count(b'"') > _MAX_PARTS:
        _refuse(str(path), "has more parts than any result")
    try:
        parsed = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        _refuse(str(path), f"is no JSON: {error}")
    return parse_record(parsed, where=str(path))


def parse_record(raw: object, *, where: str) -> Record:
    """Check one parsed object, from a file or from the run that has just ended.

    Args:
        raw: what ``json.loads`` gave; untrusted.
        where: file, for messages.

    Raises:
        DataError: it is no result, or one of another schema.
    """
    check = ResultCheck(where)
    table = check.mapping(raw, "result")
    if table.get("schema") != SCHEMA:
        _refuse(where, f"schema {str(table.get('schema'))[:60]!r} is not understood, {SCHEMA!r} is")
    return _KINDS[check.one_of(table, "kind", tuple(_KINDS))].from_json(check, table)


def write_record(path: Path, kind: str, report: Mapping[str, Any]) -> None:
    """Write a result whole or not at all, with its schema and kind first.

    Raises:
        OutputError: the disk is full or read-only, the folder is missing, ...
    """
    table = {"schema": SCHEMA, "kind": kind, **report}
    write_whole(path, (json.dumps(table, allow_nan=False) + "\n").encode())


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _refuse(where: str, problem: str) -> NoReturn:
    raise DataError(
        f"{where}: {problem}",
        hint="name a file that edge-bench wrote with --json or --out",
        code=CODE,
    )
