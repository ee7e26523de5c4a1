"""Files that an installation writes: rules, unit, configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge.doctor.install.machine import Machine
from edge.doctor.install.target import SERVICE

__all__ = ["Configuration", "Enabled", "State", "TextFile"]

#: Asked only when the file is written: the environment that brings it may be made just before.
Content = Callable[[], bytes]


class TextFile:
    """A file that says what this version's own says.

    Args:
        machine: to write on.
        kind: what it is, in a word.
        path: of the file.
        content: all of it.
        after: called on a running machine when the file has come, changed or gone.
        stays: see ``Action``.
    """

    takes_long = False

    def __init__(
        self,
        machine: Machine,
        kind: str,
        path: Path,
        content: Content,
        *,
        after: Callable[[], None] = lambda: None,
        stays: bool = False,
    ) -> None:
        self.name = f"{kind} {path}"
        self.stays = stays
        self._machine = machine
        self._path = path
        self._content = content
        self._after = after

    def lacks(self) -> str:
        """Tell whether it is missing or says something else."""
        there = self._machine.read(self._path)
        if there == self._content():
            return ""
        return f"write {self.name}" if there is None else f"replace {self.name}"

    def do(self) -> None:
        """Write it."""
        self._machine.write(self._path, self._content())
        if self._machine.is_live:
            self._after()

    def is_there(self) -> bool:
        """Tell whether there is one."""
        return self._machine.read(self._path) is not None

    def undo(self) -> None:
        """Remove it, and its folder if that held nothing else and was made for it."""
        self._machine.remove(self._path)
        folder = self._machine.at(self._path.parent)
        if folder.name == f"{SERVICE}.d" and not any(folder.iterdir()):
            folder.rmdir()
        if self._machine.is_live:
            self._after()


class Configuration:
    """The configuration: somebody's own as soon as it is there, and never written again.

    A new version's example lies beside it.
    """

    takes_long = False
    stays = True

    def __init__(self, machine: Machine, path: Path, example: Content) -> None:
        self.name = f"configuration {path}"
        self._machine = machine
        self._path = path
        self._beside = path.with_name(f"{path.name}.new")
        self._example = example

    def lacks(self) -> str:
        """Tell whether it, or the example of this version beside it, is missing."""
        there, example = self._machine.read(self._path), self._example()
        if there is None:
            return f"write {self.name}: this version's example"
        if there == example or self._machine.read(self._beside) == example:
            return ""
        return f"leave {self.name} as it is; put this version's example beside it: {self._beside}"

    def do(self) -> None:
        """Write the example: as the configuration, or beside it."""
        first = self._machine.read(self._path) is None
        self._machine.write(self._path if first else self._beside, self._example())

    def is_there(self) -> bool:
        """Tell whether there is one."""
        return self._machine.read(self._path) is not None

    def undo(self) -> None:
        """Remove it; its folder, which may hold secrets, goes with ``State``."""
        self._machine.remove(self._path)
        self._machine.remove(self._beside)


class State:
    """The folders that systemd makes and the service fills: gallery, spool, cache, secrets."""

    takes_long = False
    stays = True

    def __init__(self, machine: Machine, folders: tuple[Path, ...]) -> None:
        self.name = f"folders {', '.join(map(str, folders))}"
        self._machine = machine
        self._folders = folders

    def lacks(self) -> str:
        """Lack nothing: systemd makes them."""
        return ""

    def do(self) -> None:
        """Do nothing."""

    def is_there(self) -> bool:
        """Tell whether one is there."""
        return any(self._machine.at(folder).exists() for folder in self._folders)

    def undo(self) -> None:
        """Remove them with all that is in them."""
        for folder in self._folders:
            self._machine.remove(folder)


class Enabled:
    """The link by which systemd starts the service with the machine: what ``enable`` makes."""

    takes_long = False
    stays = False

    def __init__(self, machine: Machine, unit: Path) -> None:
        self.name = "start with the machine"
        self._machine = machine
        self._unit = unit
        self._link = unit.parent / "multi-user.target.wants" / SERVICE

    def lacks(self) -> str:
        """Tell whether the link is missing."""
        return "" if self.is_there() else f"let the service {self.name}"

    def do(self) -> None:
        """Make the link."""
        link = self._machine.at(self._link)
        self._machine.remove(self._link)
        link.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        link.symlink_to(self._unit)

    def is_there(self) -> bool:
        """Tell whether the link is there and leads to the unit."""
        link = self._machine.at(self._link)
        return link.is_symlink() and link.readlink() == self._unit

    def undo(self) -> None:
        """Remove the link."""
        self._machine.remove(self._link)
