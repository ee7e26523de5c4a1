"""Where two fingerprints differ, and whether that makes them two machines."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.records import Facts
from benchmarks.records.facts import Scalar

__all__ = ["MACHINE", "Difference", "differences", "same_machine"]

#: Fields of a fingerprint that make a machine another one as far as speed goes. The system's and
#: the libraries' versions are not among them: what an update costs is a fair question.
MACHINE = (
    "board",
    "processor",
    "architecture",
    "cores",
    "cores_allowed",
    "memory_mib",
    "governor",
    "min_mhz",
    "max_mhz",
    "power_mode",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of two fingerprints; a side is None where it does not say."""

    field: str
    a: Scalar
    b: Scalar

    def __str__(self) -> str:
        return f"{self.field}: {_shown(self.a)} and {_shown(self.b)}"


def differences(a: Facts, b: Facts) -> tuple[Difference, ...]:
    """Return every field that differs."""
    return tuple(Difference(name, *pair) for name, pair in a.differing(b).items())


def same_machine(found: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Return those differences that make two machines of them; empty for one."""
    return tuple(difference for difference in found if difference.field in MACHINE)


def _shown(value: Scalar) -> str:
    """Shorten a value; it may come from a stranger's file and must not steer the terminal."""
    text = "nothing" if value is None else str(value)
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= 60 else text[:57] + "..."
