"""On which machine, in which state: fingerprints side by side, what differs set apart."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.page import table
from benchmarks.records import Facts, LatencyRecord, Record
from benchmarks.report.named import Named

__all__ = ["conditions_table", "fingerprint_table"]


def fingerprint_table(results: Sequence[Named[Record]]) -> str:
    """Return every fact of every result; rows that differ are set bold."""
    facts = [result.record.fingerprint for result in results]
    names = _names(facts)
    if not names:
        return ""
    rows = [[name, *(_said(table_, name) for table_ in facts)] for name in names]
    kinds = ["strong" * (len(set(row[1:])) > 1) for row in rows]
    columns = range(len(results) + 1)
    head = ["fact", *(result.name for result in results)]
    return table(head, rows, words=columns, long=columns[1:], kinds=kinds)


def conditions_table(record: LatencyRecord) -> str:
    """Return the machine's state before and after a run; rows that differ are set bold."""
    both = [record.before, record.after]
    rows = [[name, *(_said(facts, name) for facts in both)] for name in _names(both)]
    if not rows:
        return ""
    kinds = ["strong" * (row[1] != row[2]) for row in rows]
    return table(["state", "before", "after"], rows, words=range(3), long=(1, 2), kinds=kinds)


def _names(tables: Sequence[Facts]) -> list[str]:
    return list(dict.fromkeys(name for facts in tables for name in facts.leaves))


def _said(facts: Facts, name: str) -> str:
    value = facts.leaves.get(name)
    return "" if value is None else str(value)
