"""Whether something holds the clock down: too little voltage, too much current, heat, a quota."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.board.system import System

__all__ = ["UNDER_VOLTAGE", "Throttling", "read_throttling"]

UNDER_VOLTAGE = "under-voltage"

#: Bits that hold now; 16 higher the same has happened since the start. Raspberry Pi documentation,
#: "vcgencmd", get_throttled: https://www.raspberrypi.com/documentation/computers/os.html
_PI_BITS = {
    0: UNDER_VOLTAGE,
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
_STICKY = 16
#: Of Raspberry Pi's kernel, in hexadecimal digits (raspberrypi/linux, pull request 2397).
_PI_FILE = "sys/devices/platform/soc*/soc*:firmware/get_throttled"

#: Meaning of the counters ``oc<n>_event_cnt`` on Orin: Jetson Linux Developer Guide, "Jetson Orin
#: Nano Series, Jetson Orin NX Series and Jetson AGX Orin Series", "Over-Current Throttling".
_ORIN_EVENTS = {
    1: UNDER_VOLTAGE,
    2: "average over-current",
    3: "instantaneous over-current",
}
_ORIN = "tegra234"
#: Counters of the processor's own heat limit: Linux, arch/x86/kernel/cpu/mce/therm_throt.c.
_X86_EVENTS = {
    "core_throttle_count": "core at its heat limit",
    "package_throttle_count": "processor at its heat limit",
}
#: Periods in which a container or a service had used up its time: Linux, cgroup v2, cpu.stat.
_QUOTA, _QUOTA_SAID = "nr_throttled", "stopped by the quota of its control group"


@dataclass(frozen=True, slots=True)
class Throttling:
    """What holds the clock down, or held it.

    Attributes:
        now: at this moment.
        since_boot: what a Raspberry Pi's firmware remembers since its start.
        events: how often something happened since the start, by name.
    """

    now: tuple[str, ...] = ()
    since_boot: tuple[str, ...] = ()
    events: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return the fields."""
        return {
            "now": list(self.now),
            "since_boot": list(self.since_boot),
            "events": dict(self.events),
        }


def read_throttling(system: System, *, ask: bool = True) -> Throttling:
    """Look at everything that tells of it.

    Args:
        system: the machine.
        ask: also by commands; without, only files are read, which costs next to nothing.
    """
    bits = _pi_bits(system, ask) or 0
    now = [name for bit, name in _PI_BITS.items() if bits >> bit & 1]
    ever = [name for bit, name in _PI_BITS.items() if bits >> (bit + _STICKY) & 1]
    events = {**_jetson_events(system), **_x86_events(system), **_quota_events(system)}
    return Throttling((*now, *_cooled(system)), tuple(ever), events)


def _pi_bits(system: System, ask: bool) -> int | None:
    for path in system.paths(_PI_FILE):
        bits = system.number(path, base=16)
        if bits is not None:
            return bits
    said = system.ask("vcgencmd", "get_throttled") if ask else None
    found = re.match(r"throttled=0x([0-9a-fA-F]{1,8})\s*$", said or "")
    return int(found.group(1), 16) if found else None


def _cooled(system: System) -> list[str]:
    """Name the clocks that the kernel lowers for heat (Documentation/driver-api/thermal)."""
    found = []
    for folder in system.paths("sys/class/thermal/cooling_device*"):
        kind = system.text(f"{folder}/type") or ""
        is_clock = "cpufreq" in kind or "devfreq" in kind or kind == "Processor"
        if is_clock and (system.number(f"{folder}/cur_state") or 0) > 0:
            found.append(f"clock lowered for heat ({kind[:40]})")
    return list(dict.fromkeys(found))


def _jetson_events(system: System) -> dict[str, int]:
    is_orin = _ORIN in (system.text("proc/device-tree/compatible") or "")
    found: dict[str, int] = {}
    for path in system.paths("sys/class/hwmon/hwmon*/oc*_event_cnt"):
        number = re.search(r"oc(\d{1,3})_event_cnt$", path)
        count = system.number(path)
        if number is not None and count is not None:
            alarm = int(number.group(1))
            other = f"over-current alarm {alarm}"
            found[_ORIN_EVENTS.get(alarm, other) if is_orin else other] = count
    return found


def _x86_events(system: System) -> dict[str, int]:
    found: dict[str, int] = {}
    for file, name in _X86_EVENTS.items():
        paths = system.paths(f"sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/{file}")
        counts = [count for path in paths if (count := system.number(path)) is not None]
        if counts:
            found[name] = sum(counts)
    return found


def _quota_events(system: System) -> dict[str, int]:
    own = re.search(r"^0::/(.*)$", system.text("proc/self/cgroup") or "", re.M)
    path = "" if own is None else own.group(1).strip()
    if own is None or ".." in path:
        return {}
    said = system.text(f"sys/fs/cgroup/{path}/cpu.stat") or ""
    count = re.search(rf"^{_QUOTA} (\d{{1,18}})$", said, re.M)
    return {_QUOTA_SAID: int(count.group(1))} if count else {}
