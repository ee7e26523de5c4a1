"""Settings: frozen dataclasses whose fields say what they mean and what they may be.

The configuration file is read, checked, printed and documented from these fields alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Rule", "setting"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a setting may be.

    Attributes:
        what: its meaning and unit, one clause.
        low, high: bounds of a number, both included.
        choices: the only texts allowed; empty allows any.
    """

    what: str
    low: float = float("-inf")
    high: float = float("inf")
    choices: tuple[str, ...] = ()


def setting(
    default: Any,
    what: str,
    *,
    low: float = float("-inf"),
    high: float = float("inf"),
    choices: tuple[str, ...] = (),
) -> Any:
    """Return a dataclass field with a default and its ``Rule`` under ``metadata["rule"]``."""
    return field(default=default, metadata={"rule": Rule(what, low, high, choices)})
