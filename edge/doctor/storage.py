"""Room and health of the disk, and of the memory."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

from edge.board.hardware import meminfo_mib
from edge.board.system import System
from edge.doctor.case import Case
from edge.doctor.finding import Finding

__all__ = ["check_disk", "check_memory"]

_LOW_MIB, _TOO_LOW_MIB = 500, 50
#: The service with the package's bundle and a camera of 1080 lines takes less than 300 MiB.
_LOW_MEMORY_MIB = 300
#: JEDEC JESD84-B51 (eMMC 5.1), EXT_CSD [267] and [268, 269] as Linux shows them; SD cards say
#: nothing of the kind.
_PRE_EOL = {2: "has used 80 % of its spare blocks", 3: "has used 90 % of its spare blocks"}
#: Tenths of a life: 1 stands for up to 10 %, 11 for more than all of it.
_WORN = 9


def check_disk(case: Case) -> list[Finding]:
    """Look at where the gallery lies (or will lie), and at what disks say of themselves."""
    return [_room(case.gallery.parent), *_errors(case.system), *_wear(case.system)]


def _room(folder: Path) -> Finding:
    place = folder.absolute()
    while not os.path.exists(place):
        place = place.parent
    try:
        free_mib = shutil.disk_usage(place).free // 2**20
        is_read_only = bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    except OSError as error:
        return Finding("disk", "warn", f"{place}: {error.strerror}", "check the disk: sudo dmesg")
    if is_read_only:
        what = f"{place} is on a file system that is read-only"
        mend = "see why with: sudo dmesg | grep -i -E 'ext4|mmc'; then sudo mount -o remount,rw /"
        return Finding("disk", "fail", what, mend)
    what = f"{free_mib} MiB free at {place}"
    if free_mib < _LOW_MIB:
        level = "fail" if free_mib < _TOO_LOW_MIB else "warn"
        mend = f"see what takes the room: sudo du -xh {shlex.quote(str(place))} | sort -h"
        return Finding("disk", level, what, mend)
    return Finding("disk", "ok", what)


def _errors(system: System) -> list[Finding]:
    """Report what ext4 has counted: Documentation/ABI/testing/sysfs-fs-ext4."""
    found = []
    for path in system.paths("sys/fs/ext4/*/errors_count"):
        count, device = system.number(path), Path(path).parent.name
        if count:
            what = f"the file system of {device} has met {count} errors"
            mend = f"save what matters; check it at every start: sudo tune2fs -c 1 /dev/{device}"
            found.append(Finding("disk", "warn", what, mend))
    return found


def _wear(system: System) -> list[Finding]:
    """Report an eMMC that nears its end."""
    found = []
    for path in system.paths("sys/block/mmcblk*/device/life_time"):
        device = Path(path).parents[1].name
        ages = [
            int(part, 16) for part in re.findall(r"0x[0-9a-fA-F]{1,2}", system.text(path) or "")
        ]
        spare = system.number(str(Path(path).with_name("pre_eol_info")), base=16) or 0
        what = _PRE_EOL.get(spare, "")
        if not what and max(ages, default=0) > _WORN:
            what = f"has lived more than {10 * (max(ages) - 1)} % of its life"
        if what:
            mend = "copy the system to a new one, and write less: see docs/sinks.md"
            found.append(Finding("disk", "warn", f"{device} {what}", mend))
    return found


def check_memory(case: Case) -> list[Finding]:
    """Say how much memory is left, what swap does, and whether limits of memory work."""
    system = case.system
    free_mib = meminfo_mib(system, "MemAvailable")
    if free_mib is None:
        return [Finding("memory", "ok", "not to be read on this machine")]
    what = f"{free_mib:.0f} MiB available"
    if free_mib < _LOW_MEMORY_MIB:
        mend = "see what takes it: ps -eo rss,comm --sort=-rss | head"
        return [Finding("memory", "warn", what, mend), *_swap(system), *_limits(case)]
    return [Finding("memory", "ok", what), *_swap(system), *_limits(case)]


def _swap(system: System) -> list[Finding]:
    total = meminfo_mib(system, "SwapTotal") or 0.0
    free = meminfo_mib(system, "SwapFree") or 0.0
    if total and free < total / 4:
        what = f"swap is used up to {1 - free / total:.0%} of its {total:.0f} MiB"
        return [Finding("memory", "warn", what, "see what takes it: ps -eo rss,comm --sort=-rss")]
    return [Finding("memory", "ok", f"swap: {total:.0f} MiB, {total - free:.0f} used")]


def _limits(case: Case) -> list[Finding]:
    """Say whether the kernel holds the service to its MemoryMax."""
    controllers = case.system.text("sys/fs/cgroup/cgroup.controllers")
    if controllers is None or "memory" in controllers.split():
        return []
    what = "the kernel's memory controller is off, and the service's MemoryMax is not held"
    mend = "see that the kernel is started with: cgroup_enable=memory"
    if case.is_pi:
        file = "/boot/firmware/cmdline.txt"
        mend = f"sudo sed -i '1s/$/ cgroup_enable=memory cgroup_memory=1/' {file}, then start again"
    return [Finding("memory", "warn", what, mend)]
