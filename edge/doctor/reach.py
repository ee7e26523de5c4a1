"""Whether an environment sees what apt has installed, and the command that lets it."""

from __future__ import annotations

import shlex
from pathlib import Path

from edge.board.system import System
from edge.doctor.case import Case, Interpreter

__all__ = ["SYSTEM_PYTHON", "hidden_system", "new_environment", "sees_system"]

SYSTEM_PYTHON = "/usr/bin/python3"
_SEEING = f"{SYSTEM_PYTHON} -m venv --system-site-packages"


def sees_system(system: System, python: Interpreter) -> bool:
    """Read pyvenv.cfg (PEP 405).

    Args:
        system: the machine.
        python: of a virtual environment.
    """
    path = str(Path(python.prefix) / "pyvenv.cfg").lstrip("/")
    text = system.text(path) or ""
    pairs = (line.partition("=") for line in text.splitlines())
    fields = {key.strip(): value.strip().lower() for key, _, value in pairs}
    return fields.get("include-system-site-packages") == "true"


def hidden_system(case: Case) -> tuple[str, str] | None:
    """Say why the environment does not see the system's packages, and the command that lets it.

    Returns:
        None where it sees them.
    """
    python = case.python
    if not python.is_virtual:
        return None
    if not python.base_prefix.startswith("/usr"):
        return f"this environment is of {python.base_prefix}", new_environment()
    if not sees_system(case.system, python):
        # Made again in its place, an environment keeps its packages.
        return "this environment does not see it", f"{_SEEING} {shlex.quote(python.prefix)}"
    return None


def new_environment() -> str:
    """Return the command that makes one that sees the system's packages."""
    return f"{_SEEING} ~/unveil && ~/unveil/bin/pip install unveil-edge"
