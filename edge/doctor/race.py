"""What a race on this board chose for the bundle, and whether it holds here."""

from __future__ import annotations

import shlex

from edge.bundle import Bundle
from edge.choice import race_file, read_choice
from edge.doctor.case import Case
from edge.doctor.finding import Finding
from edge.errors import DataError, EdgeError

__all__ = ["check_race"]


def check_race(case: Case) -> list[Finding]:
    """Read the race's file as edge-run does; without one, only a Jetson is told of races."""
    try:
        bundle = Bundle.open(case.bundle)
    except EdgeError:
        return []
    path = race_file(case.bundle)
    again = f"edge-export race {shlex.quote(str(case.bundle))}"
    faults: list[DataError] = []
    choice = read_choice(bundle, path, report=faults.append, root=case.system.root)
    if faults:
        return [Finding("race", "warn", fault.what, again) for fault in faults]
    if choice is None:
        what = "none was run; the bundle's own choice holds"
        return [Finding("race", "ok", what, again)] if case.is_jetson else []
    ways = (
        f"{task} {one.precision} by {one.engine} on {one.threads}"
        for task, one in choice.chosen.items()
    )
    what = f"of {choice.date[:10] or 'unknown date'}: {', '.join(ways) or 'chose nothing'}"
    remarks = [Finding("race", "warn", remark, again) for remark in choice.remarks]
    return [Finding("race", "ok", what), *remarks]
