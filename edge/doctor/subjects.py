"""All that can be looked at, in the order in which one thing hides the next."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

from edge.doctor.bundles import check_bundle, check_gallery
from edge.doctor.cameras import check_cameras
from edge.doctor.case import Case
from edge.doctor.clock import check_clock
from edge.doctor.configuration import check_configuration
from edge.doctor.finding import Finding
from edge.doctor.gpu import check_gpu
from edge.doctor.heat import check_power, check_temperature, check_throttling
from edge.doctor.jetson import check_jetson
from edge.doctor.python import (
    check_engines,
    check_environment,
    check_libraries,
    check_picamera2,
    check_python,
)
from edge.doctor.race import check_race
from edge.doctor.service import check_service
from edge.doctor.storage import check_disk, check_memory
from edge.errors import UsageError

__all__ = ["SUBJECTS", "run_checks"]

#: Each looks, changes nothing, and raises nothing.
SUBJECTS: Mapping[str, Callable[[Case], list[Finding]]] = {
    "python": check_python,
    "environment": check_environment,
    "libraries": check_libraries,
    "engines": check_engines,
    "bundle": check_bundle,
    "gallery": check_gallery,
    "jetson": check_jetson,
    "gpu": check_gpu,
    "race": check_race,
    "cameras": check_cameras,
    "picamera2": check_picamera2,
    "disk": check_disk,
    "memory": check_memory,
    "temperature": check_temperature,
    "throttling": check_throttling,
    "power": check_power,
    "clock": check_clock,
    "configuration": check_configuration,
    "service": check_service,
}


def run_checks(case: Case, subjects: Sequence[str] = ()) -> list[Finding]:
    """Look at some subjects, or at all.

    Args:
        case: what is looked at.
        subjects: names of ``SUBJECTS``; none stands for all.

    Raises:
        UsageError: there is no such subject.
    """
    for name in subjects:
        if name not in SUBJECTS:
            near = difflib.get_close_matches(name, SUBJECTS, 1, 0.5)
            raise UsageError(
                f"{name!r} is nothing to look at",
                hint=f"did you mean {near[0]}?" if near else f"there are {', '.join(SUBJECTS)}",
                code="doctor.subject",
            )
    found = [finding for name in subjects or SUBJECTS for finding in SUBJECTS[name](case)]
    if subjects and not found:
        return [Finding(name, "ok", "nothing to say on this machine") for name in subjects]
    return found
