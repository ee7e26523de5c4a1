"""What is installed into the environment: a wheel's file, or a requirement from the index."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import edge
from edge.doctor.files import DISTRIBUTION
from edge.errors import MissingInput, UsageError

__all__ = ["Package", "read_package"]

#: What a device uses beyond the bare install: brokers, metrics, signed bundles. See setup.py.
_EXTRAS = "[mqtt,metrics,signed]"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Package:
    """One thing that pip installs.

    Attributes:
        requirement: as pip takes it, if it is no file.
        wheel: the file; None for a requirement.
        identity: what tells one install from another: the wheel's digest, or the requirement.
    """

    requirement: str
    wheel: Path | None
    identity: str

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.requirement if self.wheel is None else self.wheel.name

    def argument(self, wheel: Path | None) -> str:
        """Return what pip is given.

        Args:
            wheel: where the file lies as pip sees it; None if there is none.
        """
        return self.requirement if wheel is None else f"{wheel}{_EXTRAS}"


def read_package(said: str | None) -> Package:
    """Understand what ``--package`` was given.

    Args:
        said: path of a wheel, or a requirement; None takes this version from the index.

    Raises:
        UsageError: it is neither.
        MissingInput: there is no such file.
    """
    text = said or f"{DISTRIBUTION}{_EXTRAS}=={edge.__version__}"
    if text.startswith("-") or not text.isprintable() or not text.strip():
        raise UsageError(
            f"{text[:80]!r} is neither a wheel nor a requirement",
            hint=f"give the path of a .whl file, or {DISTRIBUTION}=={edge.__version__}",
            code="install.package",
        )
    if not text.endswith(".whl"):
        return Package(text, None, text)
    wheel = Path(text).absolute()
    digest = hashlib.sha256()
    try:
        with open(wheel, "rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise MissingInput(
            f"{wheel}: {error.strerror or error}", hint="make one with: pip wheel --no-deps .",
            code="install.wheel",
        ) from error  # fmt: skip
    return Package("", wheel, f"sha256:{digest.hexdigest()}")
