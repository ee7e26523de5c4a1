"""Which names the played release of TensorRT has, and the making of classes with just those."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from standin import setting, violate

__all__ = ["CLASSES", "RELEASE", "VERSION", "Enumeration", "as_released", "enumerations", "later"]

#: Such as ``10.3``.
RELEASE = setting("TENSORRT")
if not RELEASE:
    raise ModuleNotFoundError("No module named 'tensorrt'", name="tensorrt")
_NAMES = json.loads((Path(__file__).parents[2] / "names" / f"{RELEASE}.json").read_text("utf-8"))
VERSION: str = setting("TENSORRT_VERSION") or _NAMES["version"]
CLASSES: dict[str, Any] = _NAMES["classes"]


def later(*release: int) -> bool:
    """Tell whether the played release is this one, or a later one."""
    return tuple(int(part) for part in RELEASE.split(".")) >= release


class Enumeration:
    """A number with a name, as pybind11 makes them: no int, but turned into one."""

    name: str
    value: int

    def __init__(self, name: str, value: int) -> None:
        self.name, self.value = name, value

    def __int__(self) -> int:
        return self.value

    __index__ = __int__

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and int(other) == self.value  # type: ignore[call-overload, no-any-return]

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.value))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}.{self.name}: {self.value}>"


def enumerations() -> dict[str, Any]:
    """Return the enumerations of the release."""
    found = {}
    for name, members in CLASSES.items():
        if isinstance(members, dict):
            kind = type(name, (Enumeration,), {})
            for member, value in members.items():
                setattr(kind, member, kind(member, value))
            found[name] = kind
    return found


def as_released(kind: type) -> type:
    """Take from a class what the release does not have.

    What the release has and the stand-in does not play is a violation when it is asked for: the
    stand-in has to learn it.
    """
    names = CLASSES.get(kind.__name__)
    if names is None:
        return kind
    for base in [k for k in kind.__mro__ if k.__module__.startswith("standin")]:
        for name in [n for n in vars(base) if not n.startswith("_") and n not in names]:
            delattr(base, name)
    for name in names:
        if not hasattr(kind, name):
            setattr(kind, name, property(_unplayed(kind.__name__, name)))
    return kind


def _unplayed(kind: str, name: str) -> Any:
    def get(self: object) -> None:
        violate(f"the stand-in does not play {kind}.{name} yet")

    return get
