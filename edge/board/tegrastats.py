"""Read the lines of NVIDIA's ``tegrastats``.

Their fields: Jetson Linux Developer Guide, "tegrastats Utility". A rail is ``VDD_IN 4786mW/4700mW``
(now/mean since it began; ``POM_5V_IN 2532/2698`` in older releases), a temperature ``cpu@46.531C``,
memory ``RAM 2461/7620MB``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Tegrastats", "parse_tegrastats"]

_MAX_LINE = 4096
_RAIL = re.compile(r"(?:^|\s)([A-Z][A-Z0-9_]{1,31}) (\d{1,7})(?:mW)?/(\d{1,7})(?:mW)?(?=\s|$)")
_HEAT = re.compile(r"(?:^|\s)([A-Za-z][\w-]{0,31})@(-?\d{1,3}(?:\.\d{1,3})?)C(?=\s|$)")
_RAM = re.compile(r"(?:^|\s)RAM (\d{1,7})/(\d{1,7})MB(?=\s|$)")
#: An absent sensor shows -256 °C.
_COLDEST = -40.0


@dataclass(frozen=True, slots=True)
class Tegrastats:
    """One line.

    Attributes:
        rails_mw: power now, by rail.
        celsius: by zone.
        ram_mb: used, total; None if the line has none.
    """

    rails_mw: Mapping[str, int]
    celsius: Mapping[str, float]
    ram_mb: tuple[int, int] | None


def parse_tegrastats(line: str) -> Tegrastats | None:
    """Read one line; None if it is none of tegrastats.

    Args:
        line: any text; no more than its first 4096 characters are looked at.
    """
    text = line[:_MAX_LINE]
    rails = {name: int(now) for name, now, _ in _RAIL.findall(text)}
    heat = {name: float(said) for name, said in _HEAT.findall(text)}
    ram = _RAM.search(text)
    if ram is None and not rails and not heat:
        return None
    return Tegrastats(
        rails_mw=rails,
        celsius={name: value for name, value in heat.items() if value > _COLDEST},
        ram_mb=None if ram is None else (int(ram.group(1)), int(ram.group(2))),
    )
