"""What a check says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["LEVELS", "Finding", "severity"]

#: From well to ill; the position is the exit code of ``edge-doctor``.
LEVELS = ("ok", "warn", "fail")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: a short, stable name such as ``bundle``.
        level: one of ``LEVELS``.
        what: what was found, one clause.
        mend: the command or the change that mends it; with ``ok`` one that would change it, or
            empty.
    """

    subject: str
    level: str
    what: str
    mend: str = ""


def severity(findings: Iterable[Finding]) -> int:
    """Return 0 when all is well, 1 when the worst is a warning, 2 when something fails."""
    return max((LEVELS.index(finding.level) for finding in findings), default=0)
