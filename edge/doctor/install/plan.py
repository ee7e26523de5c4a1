"""What is done in which order, and what is said of it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.doctor.files import DROP_IN, EXAMPLE, RULES, UNIT, service_file
from edge.doctor.install.action import Action
from edge.doctor.install.environment import Environment
from edge.doctor.install.files import Configuration, Enabled, State, TextFile
from edge.doctor.install.machine import Machine
from edge.doctor.install.package import Package
from edge.doctor.install.running import Running, how_it_fares, read_state
from edge.doctor.install.target import SERVICE, UNIT_PATH, Target
from edge.doctor.install.user import ServiceUser
from edge.errors import UnavailableError, UsageError

__all__ = ["VERBS", "Step", "check_machine", "install", "uninstall"]

#: What a step can say; ``doing`` stands before one that takes minutes, ``now`` at the end.
VERBS = ("doing", "done", "already", "would", "removed", "kept", "now")

_RULES_PATH = Path("/etc/udev/rules.d") / RULES
_DROP_IN_PATH = UNIT_PATH.with_name(f"{SERVICE}.d") / DROP_IN
_STATE = (Path("/var/lib/unveil-edge"), Path("/var/cache/unveil-edge"))
_JETSON = "etc/nv_tegra_release"
_SUBSYSTEMS = ("video4linux", "media", "dma_heap")


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one part.

    Attributes:
        verb: one of ``VERBS``.
        what: the part, and what was done to it.
    """

    verb: str
    what: str


def check_machine(machine: Machine, *, changes: bool) -> None:
    """Refuse a machine on which the service cannot be installed.

    Args:
        machine: to be installed on.
        changes: whether anything will be written.

    Raises:
        UsageError: this user may not, or the tree is no folder.
        UnavailableError: systemd does not run.
    """
    if not machine.root.is_dir():
        raise UsageError(f"{machine.root}: is no folder to install into", code="install.root")
    if not machine.is_live:
        return
    if changes and os.geteuid() != 0:
        command = shutil.which("edge-doctor", path=str(Path(sys.executable).parent))
        raise UsageError(
            "installing a service needs root",
            hint=f"run: sudo {command or 'edge-doctor'} {shlex.join(sys.argv[1:]) or 'install'}",
            code="install.root",
        )
    if not machine.at("/run/systemd/system").is_dir():
        raise UnavailableError(
            "this machine was not started by systemd",
            hint="run edge-run by whatever starts programs here, or install into an image's tree "
            "with --root",
            code="install.systemd",
        )


def install(
    machine: Machine, target: Target, package: Package, *, start: bool = True, dry: bool = False
) -> Iterator[Step]:
    """Install the service part by part; what is so already stays as it is.

    Args:
        machine: to install on.
        target: where environment and configuration go.
        package: what goes into the environment.
        start: also start the service, on a running machine.
        dry: change nothing, say what would be done.

    Raises:
        EdgeError: a part cannot be done. Those before it are; the same call goes on from there.
    """
    changed: list[str] = []
    parts = _parts(machine, target, package)
    if start and machine.is_live:
        parts.append(Running(machine, lambda: bool(changed)))
    for part in parts:
        lacking = part.lacks()
        if not lacking:
            yield Step("already", part.name)
            continue
        if dry:
            yield Step("would", lacking)
            continue
        if part.takes_long:
            yield Step("doing", f"{part.name}: this takes some minutes on a small board")
        part.do()
        changed.append(part.name)
        yield Step("done", lacking)
    if start and machine.is_live and not dry:
        yield Step("now", how_it_fares(read_state(machine), target.config))


def uninstall(
    machine: Machine, target: Target, package: Package, *, purge: bool = False, dry: bool = False
) -> Iterator[Step]:
    """Take the service away, the last part first.

    Args:
        machine: to take it from.
        target: where its environment and configuration are.
        package: any; what is in the environment does not matter.
        purge: also take configuration, gallery and user.
        dry: change nothing, say what would be done.

    Raises:
        EdgeError: a part cannot be taken away. The same call goes on from there.
    """
    folders = (*_STATE, target.config.parent) if _is_own(target.config.parent) else _STATE
    parts = [*_parts(machine, target, package)]
    parts.insert(1, State(machine, folders))
    if machine.is_live:
        parts.append(Running(machine, lambda: False))
    there = [part for part in reversed(parts) if part.is_there()]
    if not there:
        yield Step("already", "gone: nothing of the service is here")
    for part in there:
        if part.stays and not purge:
            yield Step("kept", part.name)
            continue
        if dry:
            yield Step("would", f"remove {part.name}")
            continue
        part.undo()
        yield Step("removed", part.name)


def _is_own(folder: Path) -> bool:
    """Tell whether a folder is the service's alone, by its name."""
    return folder.name == "unveil-edge"


def _parts(machine: Machine, target: Target, package: Package) -> list[Action]:
    """Return all parts but the running service, each after those that it needs."""
    prefix = machine.at(target.environment)

    def brought(name: str) -> bytes:
        return service_file(name, prefix=prefix)

    def reload_rules() -> None:
        # Without udev, as in a container, there are no device files to change.
        if machine.at("/run/udev/control").exists():
            machine.run(["udevadm", "control", "--reload"])
            matches = [f"--subsystem-match={name}" for name in _SUBSYSTEMS]
            machine.run(["udevadm", "trigger", *matches])

    def reload_units() -> None:
        machine.run(["systemctl", "daemon-reload"])

    parts: list[Action] = [
        ServiceUser(machine),
        Environment(machine, target.environment, package),
        Configuration(machine, target.config, lambda: brought(EXAMPLE)),
        TextFile(machine, "udev rule", _RULES_PATH, lambda: brought(RULES), after=reload_rules),
        TextFile(
            machine, "unit", UNIT_PATH, lambda: target.unit(brought(UNIT)), after=reload_units
        ),
    ]
    if machine.system.text(_JETSON) is not None:
        parts.append(
            TextFile(
                machine, "drop-in", _DROP_IN_PATH, lambda: brought(DROP_IN), after=reload_units
            )
        )
    return [*parts, Enabled(machine, UNIT_PATH)]
