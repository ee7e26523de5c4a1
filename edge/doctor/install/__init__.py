"""Make this machine, or an image's tree, one that runs the service; and undo it."""

from __future__ import annotations

from edge.doctor.install.machine import Machine
from edge.doctor.install.package import Package, read_package
from edge.doctor.install.plan import VERBS, Step, check_machine, install, uninstall
from edge.doctor.install.running import ServiceState, read_state
from edge.doctor.install.target import Target, read_target

__all__ = [
    "VERBS",
    "Machine",
    "Package",
    "ServiceState",
    "Step",
    "Target",
    "check_machine",
    "install",
    "read_package",
    "read_state",
    "read_target",
    "uninstall",
]
