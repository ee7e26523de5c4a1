"""What a machine is: board, processor, memory, system, power mode."""

from __future__ import annotations

import platform
import re

from edge.board.power_modes import power_modes
from edge.board.system import System

__all__ = [
    "board",
    "clock_limits_mhz",
    "cores",
    "governor",
    "l4t",
    "meminfo_mib",
    "memory_mib",
    "operating_system",
    "power_mode",
    "processor",
]

#: (implementer, part) of the Main ID Register: arch/arm64/include/asm/cputype.h of Linux.
_ARM_PARTS = {
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd0d"): "Cortex-A77",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x4e", "0x003"): "Denver 2",
    ("0x4e", "0x004"): "Carmel",
}
_POLICIES = "sys/devices/system/cpu/cpufreq/policy*"
#: What makers write where they have nothing to say.
_NO_NAME = frozenset(
    ["", "none", "default string", "to be filled by o.e.m.", "system product name"]
)


def board(system: System) -> str | None:
    """Return the board: the device tree's model, else the product that the firmware names."""
    model = system.text("proc/device-tree/model")
    if model:
        return model
    said = [system.text(f"sys/class/dmi/id/{part}") for part in ("sys_vendor", "product_name")]
    named = [text for text in said if text is not None and text.lower() not in _NO_NAME]
    return " ".join(named) or None


def processor(system: System) -> str:
    """Return the processor's model; of several kinds all, in the order of their numbers."""
    text = system.text("proc/cpuinfo") or ""
    parts = re.findall(r"^CPU implementer\s*:\s*(\S+)$.*?^CPU part\s*:\s*(\S+)$", text, re.M | re.S)
    if parts:
        names = [_ARM_PARTS.get(part, f"Arm {part[0]} part {part[1]}") for part in parts]
    else:
        names = re.findall(r"^model name\s*:\s*(.+?)\s*$", text, re.M)
    return " + ".join(dict.fromkeys(names)) or platform.processor() or platform.machine()


def cores(system: System) -> tuple[int, int]:
    """Return how many logical processors are online, and how many this process may use."""
    online = _count(system.text("sys/devices/system/cpu/online"))
    allowed = _count(system.fields("proc/self/status").get("Cpus_allowed_list"))
    # The mask of a process that nobody bound names processors that are off, too.
    return online or allowed or 1, min(allowed or online or 1, online or allowed or 1)


def memory_mib(system: System) -> int | None:
    """Return the memory that the kernel has."""
    total = meminfo_mib(system, "MemTotal")
    return None if total is None else int(total)


def meminfo_mib(system: System, key: str) -> float | None:
    """Return a line of /proc/meminfo, such as ``MemAvailable``; the kernel counts in KiB."""
    found = re.match(r"(\d{1,15}) kB$", system.fields("proc/meminfo").get(key, ""))
    return int(found.group(1)) / 1024 if found else None


def operating_system(system: System) -> str:
    """Return the distribution; on a Jetson with the release of its own part."""
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', system.text("etc/os-release") or "", re.M)
    name = found.group(1) if found else "Linux"
    release = l4t(system)
    return f"{name}, L4T {release}" if release else name


def l4t(system: System) -> str | None:
    """Return the release of a Jetson's own part of the system, such as ``R36.4.3``."""
    found = re.match(
        r"# R(\d+) \(release\), REVISION: ([\d.]+)", system.text("etc/nv_tegra_release") or ""
    )
    return f"R{found.group(1)}.{found.group(2)}" if found else None


def governor(system: System) -> str | None:
    """Return who chooses the clock; of several policies all, apart."""
    said = (system.text(f"{path}/scaling_governor") for path in system.paths(_POLICIES))
    return " + ".join(dict.fromkeys(text for text in said if text)) or None


def clock_limits_mhz(system: System) -> tuple[float | None, float | None]:
    """Return between which clocks the governor may choose: the slowest, the fastest."""
    folders = system.paths(_POLICIES)
    low = [system.number(f"{folder}/scaling_min_freq") for folder in folders]
    high = [system.number(f"{folder}/scaling_max_freq") for folder in folders]
    return (
        min((khz / 1000 for khz in low if khz is not None), default=None),
        max((khz / 1000 for khz in high if khz is not None), default=None),
    )


def power_mode(system: System) -> str | None:
    """Return a Jetson's power mode by name; None on other boards.

    ``nvpmodel -q`` prints ``NV Power Mode: 15W`` and its number; what it last set lies in
    /var/lib/nvpmodel/status as ``pmode:0000``, and the names in /etc/nvpmodel.conf.
    """
    said = re.search(r"^NV Power Mode:\s*(\S+)", system.ask("nvpmodel", "-q") or "", re.M)
    if said:
        return said.group(1)
    kept = re.match(r"pmode:(\d{1,4})", system.text("var/lib/nvpmodel/status") or "")
    if kept is None:
        return None
    number = int(kept.group(1))
    names = (mode.name for mode in power_modes(system) if mode.number == number)
    return next(names, f"mode {number}")


def _count(listed: str | None) -> int:
    """Count the numbers of a list such as ``0-3,6``; 0 where it is none."""
    total = 0
    for part in (listed or "").split(","):
        found = re.fullmatch(r"\s*(\d{1,5})(?:-(\d{1,5}))?\s*", part)
        if found is None:
            return 0
        first = int(found.group(1))
        total += max(0, int(found.group(2) or first) - first + 1)
    return total
