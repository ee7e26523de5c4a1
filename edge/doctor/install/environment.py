"""The virtual environment of the service: made from the system's Python, filled by pip."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from edge.doctor.install.machine import Machine
from edge.doctor.install.package import Package
from edge.errors import OutputError, UsageError

__all__ = ["Environment", "system_libraries"]

_SYSTEM_PYTHON = "/usr/bin/python3"
#: Folders in which Debian, Ubuntu and JetPack keep what apt installs.
_PACKAGES = ("usr/lib/python3/dist-packages", "usr/lib/python3.*/dist-packages")
#: Not on the index, or not for these boards: they come with the system alone.
_WANTED = ("picamera2", "tensorrt")
_OLD_NUMPY = "numpy<2"
_VENV_MEND = "sudo apt install python3-venv"


def system_libraries(machine: Machine) -> tuple[str, ...]:
    """Return which libraries only the system's Python has: picamera2, TensorRT."""
    found = {
        name
        for name in _WANTED
        for folder in _PACKAGES
        if machine.system.paths(f"{folder}/{name}/__init__.py")
    }
    return tuple(name for name in _WANTED if name in found)


def _system_numpy_is_old(machine: Machine) -> bool:
    """Tell whether the system's NumPy is 1.x, for which its other libraries were compiled."""
    paths = [p for folder in _PACKAGES for p in machine.system.paths(f"{folder}/numpy-*-info")]
    return any(re.search(r"/numpy-1\.", path) for path in paths)


class Environment:
    """A virtual environment with the package in it.

    It sees the system's libraries where picamera2 or TensorRT is among them. NumPy then stays
    below 2 if the system's is: picamera2 brings compiled parts that were made for that one and
    end with ``numpy.dtype size changed`` under another.

    Args:
        machine: to make it on; in a tree, by the tree's own Python.
        folder: where.
        package: what goes into it.
    """

    takes_long = True
    stays = False

    def __init__(self, machine: Machine, folder: Path, package: Package) -> None:
        self.name = f"environment {folder}"
        self._machine = machine
        self._folder = folder
        self._package = package
        # Beside the folder: whatever is interrupted, it still says whose the folder is.
        self._note = folder.with_name(f"{folder.name}.json")
        libraries = system_libraries(machine)
        self._sees_system = bool(libraries)
        self._holds_numpy = "picamera2" in libraries and _system_numpy_is_old(machine)

    def lacks(self) -> str:
        """Tell whether it is missing, sees too much or too little, or holds something else."""
        said = self._record()
        if said == self._wanted():
            return ""
        system = ", with the system's libraries" if self._sees_system else ""
        verb = "make" if said is None else "change"
        return f"{verb} {self.name}{system}, and install {self._package.name}"

    def do(self) -> None:
        """Make it, or bring it to this package; where pip fails it keeps what it has."""
        self._refuse_foreign()
        python = self._python()
        self._run(python, "-I", "-c", "import ensurepip, venv", mend=f"install it: {_VENV_MEND}")
        there = self._record()
        kept = there is not None and {**there, "package": ""} == {**self._wanted(), "package": ""}
        if not kept:
            self._machine.write(self._note, b"{}\n")
            self._machine.remove(self._folder)
            flag = ["--system-site-packages"] if self._sees_system else []
            self._run(python, "-I", "-m", "venv", *flag, self._folder, mend=_VENV_MEND)
        self._install(force=there is not None)
        self._machine.write(self._note, json.dumps(self._wanted()).encode() + b"\n")

    def is_there(self) -> bool:
        """Tell whether there is one that this command made."""
        return self._record() is not None

    def undo(self) -> None:
        """Remove it, and the folder round it if nothing else is there."""
        self._machine.remove(self._folder)
        self._machine.remove(self._note)
        around = self._machine.at(self._folder.parent)
        if self._folder.parent.name == "unveil-edge" and not any(around.iterdir()):
            around.rmdir()

    def _wanted(self) -> dict[str, object]:
        return {
            "package": self._package.identity,
            "system_site_packages": self._sees_system,
            "numpy": _OLD_NUMPY if self._holds_numpy else "",
            # A new release of the system brings another, which sees nothing of the old one's.
            "python": self._machine.at(_SYSTEM_PYTHON).resolve().name,
        }

    def _record(self) -> dict[str, object] | None:
        """Return what this command noted when it made it; empty while it was being made."""
        text = self._machine.read(self._note)
        try:
            said = None if text is None else json.loads(text)
        except ValueError:
            return {}
        return said if isinstance(said, dict) else None

    def _refuse_foreign(self) -> None:
        place = self._machine.at(self._folder)
        if self._record() is None and place.exists() and any(place.iterdir()):
            raise UsageError(
                f"{self._folder}: is there already, and was not made by this command",
                hint="name another folder with --env, or remove that one",
                code="install.environment",
            )

    def _python(self) -> str:
        """Return the system's Python: picamera2 and TensorRT are compiled for that one."""
        if self._machine.at(_SYSTEM_PYTHON).exists():
            return _SYSTEM_PYTHON
        if self._machine.is_live:
            return str(getattr(sys, "_base_executable", sys.executable))
        raise OutputError(
            f"{self._machine.root}: has no {_SYSTEM_PYTHON} to make the environment with",
            hint="put Python into the tree first: python3, python3-venv",
            code="install.python",
        )

    def _install(self, *, force: bool) -> None:
        """Let pip install the package; a wheel goes into a tree for as long as that takes."""
        wheel = self._package.wheel
        lent = None
        if wheel is not None and not self._machine.is_live:
            lent = self._folder / wheel.name
            shutil.copyfile(wheel, self._machine.at(lent))
        try:
            what = self._package.argument(lent or wheel)
            more = [_OLD_NUMPY] if self._holds_numpy else []
            self._pip(what, *more)
            if force and wheel is not None:
                # pip leaves a package alone whose version is the wheel's, whatever is in it.
                self._pip("--force-reinstall", "--no-deps", what)
        finally:
            if lent is not None:
                self._machine.remove(lent)

    def _pip(self, *arguments: str) -> None:
        self._run(
            self._folder / "bin" / "python",
            *("-I", "-m", "pip", "install", "--quiet", "--no-input"),
            *("--disable-pip-version-check", *arguments),
            mend="give a wheel with --package, or mend the way to the package index",
        )

    def _run(self, *command: str | Path, mend: str) -> None:
        self._machine.run(self._machine.inside(*command), mend=mend)
