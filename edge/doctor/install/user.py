"""The user that the service is, made by systemd-sysusers."""

from __future__ import annotations

from pathlib import Path

from edge.doctor.files import USER, service_file
from edge.doctor.install.machine import Machine
from edge.doctor.install.target import USER_NAME

__all__ = ["ServiceUser"]

_PATH = Path("/etc/sysusers.d/unveil-edge.conf")
_GROUPS = ("video", "render")


class ServiceUser:
    """A system user in the groups video and render, who never logs in.

    It stays when the service is uninstalled, for the gallery that stays is its own: a number
    without a name would be given to the next user that somebody makes.
    """

    takes_long = False
    stays = True

    def __init__(self, machine: Machine) -> None:
        self.name = f"user {USER_NAME} (groups {', '.join(_GROUPS)})"
        self._machine = machine

    def lacks(self) -> str:
        """Tell what of user, groups and their file is missing."""
        if not self._is_user():
            return f"make {self.name}"
        groups = [group for group in _GROUPS if USER_NAME not in self._members(group)]
        if groups:
            return f"put {USER_NAME} into {', '.join(groups)}"
        return (
            ""
            if self._machine.read(_PATH) == service_file(USER)
            else f"write {_PATH}, which makes {USER_NAME}"
        )

    def do(self) -> None:
        """Make user and groups as far as they are missing."""
        self._machine.write(_PATH, service_file(USER))
        tree = [] if self._machine.is_live else [f"--root={self._machine.root}"]
        self._machine.run(
            ["systemd-sysusers", *tree, str(self._machine.at(_PATH))],
            mend="install systemd: sudo apt install systemd",
        )

    def is_there(self) -> bool:
        """Tell whether there is such a user, or the file that makes one."""
        return self._is_user() or self._machine.read(_PATH) is not None

    def undo(self) -> None:
        """Remove the user, its group and the file that would make it again."""
        self._machine.remove(_PATH)
        if self._is_user():
            tree = [] if self._machine.is_live else ["--prefix", str(self._machine.root)]
            self._machine.run(["userdel", *tree, USER_NAME], mend="end its processes first")

    def _is_user(self) -> bool:
        return any(row[0] == USER_NAME for row in self._rows("/etc/passwd"))

    def _members(self, group: str) -> list[str]:
        rows = self._rows("/etc/group")
        return [name for row in rows if row[0] == group for name in row[-1].split(",")]

    def _rows(self, path: str) -> list[list[str]]:
        text = (self._machine.read(path) or b"").decode("utf-8", "replace")
        return [line.split(":") for line in text.splitlines()]
