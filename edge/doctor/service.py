"""The installed service: its unit, its environment, and how it fares."""

from __future__ import annotations

import re
from pathlib import Path

import edge
from edge.doctor.case import Case
from edge.doctor.files import UNIT, service_file
from edge.doctor.finding import Finding
from edge.doctor.install.machine import Machine
from edge.doctor.install.running import ServiceState, read_state
from edge.doctor.install.target import SERVICE, UNIT_PATH, Target, read_target
from edge.errors import EdgeError

__all__ = ["check_service", "judge_state"]

_AGAIN = "sudo edge-doctor install"
_LOG = "journalctl -u unveil-edge -n 50 --no-pager"


def check_service(case: Case) -> list[Finding]:
    """Say whether the service is installed, of this version, and running."""
    machine = Machine(case.system.root)
    unit = machine.read(UNIT_PATH)
    if unit is None:
        return [Finding("service", "ok", f"not installed; {_AGAIN} does it")]
    target = read_target(machine)
    if target is None:
        what = f"{UNIT_PATH} is not one that this command wrote"
        return [Finding("service", "ok", what)]
    return [*_versions(machine, target, unit), *_state(machine)]


def _versions(machine: Machine, target: Target, unit: bytes) -> list[Finding]:
    """Hold unit and environment against this version."""
    pattern = (
        f"{str(target.environment).lstrip('/')}/lib/python3*/site-packages/unveil_edge-*.dist-info"
    )
    found = [Path(path).name for path in machine.system.paths(pattern)]
    versions = [
        m.group(1) for name in found if (m := re.match(r"unveil_edge-(.+)\.dist-info", name))
    ]
    if not versions:
        what = f"{target.environment}: holds no unveil-edge"
        return [Finding("service", "fail", what, _AGAIN)]
    if versions[0] != edge.__version__:
        what = f"{target.environment} has version {versions[0]}, and this is {edge.__version__}"
        return [Finding("service", "warn", what, _AGAIN)]
    if unit != target.unit(service_file(UNIT)):
        what = f"{UNIT_PATH} is not this version's; changes of your own belong into a drop-in"
        return [Finding("service", "warn", what, f"sudo systemctl edit {SERVICE}, then {_AGAIN}")]
    return [Finding("service", "ok", f"installed, version {versions[0]}")]


def _state(machine: Machine) -> list[Finding]:
    """Ask systemd how the service fares."""
    if not machine.is_live or not machine.at("/run/systemd/system").is_dir():
        return []
    try:
        return [judge_state(read_state(machine))]
    except EdgeError as error:
        return [Finding("service", "warn", f"systemd does not answer: {error.what}", _LOG)]


def judge_state(state: ServiceState) -> Finding:
    """Judge what systemd says of the service."""
    again = f", started again {state.restarts} times" if state.restarts else ""
    if state.active == "failed":
        what = f"failed: {state.result}, exit status {state.exit_status}"
        return Finding("service", "fail", what, f"{_LOG}; then sudo systemctl restart {SERVICE}")
    if state.active in ("inactive", "deactivating"):
        return Finding("service", "warn", "does not run", f"sudo systemctl start {SERVICE}")
    level = "warn" if state.restarts or state.active == "activating" else "ok"
    what = f"{state.active}: {state.text or 'says nothing'}{again}"
    return Finding("service", level, what, _LOG if level == "warn" else "")
