"""What is installed, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge.doctor.install.machine import Machine
from edge.errors import UsageError

__all__ = ["CONFIG", "ENVIRONMENT", "SERVICE", "UNIT_PATH", "USER_NAME", "Target", "read_target"]

SERVICE = "unveil-edge.service"
USER_NAME = "unveil-edge"
UNIT_PATH = Path("/etc/systemd/system") / SERVICE
#: The places that the unit in ``systemd/`` names.
ENVIRONMENT = Path("/opt/unveil-edge/venv")
CONFIG = Path("/etc/unveil-edge/config.toml")

#: Folders that the unit's sandbox hides from the service.
_HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))
_PLAIN = re.compile(r"/[A-Za-z0-9_./+-]{1,200}")
_STARTS = re.compile(r"^ExecStart=(\S+)/bin/edge-run --config (\S+)$", re.M)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the service's parts go.

    Attributes:
        environment: folder of its virtual environment.
        config: file of its configuration.

    Raises:
        UsageError: the service could not see one of them, or a unit cannot name it.
    """

    environment: Path = ENVIRONMENT
    config: Path = CONFIG

    def __post_init__(self) -> None:
        for path in (self.environment, self.config):
            if not _PLAIN.fullmatch(str(path)) or ".." in path.parts:
                raise UsageError(
                    f"{path}: is no absolute path of plain letters, digits and _ . + -",
                    hint=f"leave it out for {ENVIRONMENT} and {CONFIG}",
                    code="install.path",
                )
            hidden = next((folder for folder in _HIDDEN if path.is_relative_to(folder)), None)
            if hidden is not None:
                raise UsageError(
                    f"{path}: the service's sandbox shows it nothing in {hidden}",
                    hint="name a folder in /opt, /srv or /etc",
                    code="install.hidden",
                )

    def unit(self, text: bytes) -> bytes:
        """Return a unit's text with these places."""
        return text.replace(str(ENVIRONMENT).encode(), str(self.environment).encode()).replace(
            str(CONFIG).encode(), str(self.config).encode()
        )


def read_target(machine: Machine) -> Target | None:
    """Return where an installed unit has its parts; None where there is none, or it is foreign."""
    found = _STARTS.search((machine.read(UNIT_PATH) or b"").decode("utf-8", "replace"))
    return Target(Path(found.group(1)), Path(found.group(2))) if found else None
