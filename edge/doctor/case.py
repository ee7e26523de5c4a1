"""What is looked at: one machine, one Python, and what edge-run would open there."""

from __future__ import annotations

import shlex
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.board.hardware import board
from edge.board.system import System
from edge.doctor.install.target import CONFIG
from edge.engines.cache import default_folder
from edge.engines.device_key import default_key

__all__ = ["Case", "Interpreter"]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python that runs, as far as an install of packages depends on it.

    Attributes:
        version: major, minor.
        executable: its file.
        prefix: of its environment.
        base_prefix: of the Python that the environment was made from; the same without one.
        standard_library: folder of that Python's own modules.
    """

    version: tuple[int, int] = field(default_factory=lambda: sys.version_info[:2])
    executable: str = sys.executable
    prefix: str = sys.prefix
    base_prefix: str = sys.base_prefix
    standard_library: str = field(default_factory=lambda: sysconfig.get_path("stdlib"))

    @property
    def is_virtual(self) -> bool:
        """Whether packages go into an environment of their own."""
        return self.prefix != self.base_prefix

    @property
    def pip(self) -> str:
        """How this Python's packages are installed."""
        return f"{shlex.quote(self.executable)} -m pip install"


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a check may look at.

    Attributes:
        bundle: folder or file of the bundle that edge-run would take.
        gallery: file of the gallery; it need not be there.
        trust: files of public keys, one of which must have signed the bundle; None demands none.
        config: file of the service's configuration; it need not be there.
        engines: folder of the TensorRT engines; it need not be there.
        key: file of the key that they are signed with; it need not be there.
        system: the machine.
        python: the interpreter.
    """

    bundle: Path
    gallery: Path
    trust: Sequence[Path] | None = None
    config: Path = CONFIG
    engines: Path = field(default_factory=default_folder)
    key: Path = field(default_factory=default_key)
    system: System = field(default_factory=System)
    python: Interpreter = field(default_factory=Interpreter)

    @property
    def is_pi(self) -> bool:
        """Whether this is a Raspberry Pi."""
        return (board(self.system) or "").startswith("Raspberry Pi")

    @property
    def is_jetson(self) -> bool:
        """Whether this is a Jetson."""
        return self.system.text("etc/nv_tegra_release") is not None
