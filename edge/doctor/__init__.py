"""Look at this machine and say what keeps edge-run from running well, and what mends it."""

from __future__ import annotations

from edge.doctor.checks import run_checks
from edge.doctor.finding import Finding, severity

__all__ = ["Finding", "run_checks", "severity"]
