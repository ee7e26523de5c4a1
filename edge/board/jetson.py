"""What a Jetson is, beside its board: the JetPack on it, its accelerators, the clock of its GPU."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.board.dpkg import installed_version
from edge.board.hardware import l4t
from edge.board.system import System

__all__ = ["Clock", "dla_cores", "gpu_clock", "jetpack", "packaged_jetpack"]

#: developer.nvidia.com/embedded/jetpack-archive and, for each, "Jetson Linux" on its page; as of
#: September 2026. Those between them, that apt brings, are not on it.
_JETPACKS = {
    "R32.7.1": "4.6.1",
    "R34.1": "5.0",
    "R34.1.1": "5.0.1",
    "R35.1": "5.0.2",
    "R35.2.1": "5.1",
    "R35.3.1": "5.1.1",
    "R35.4.1": "5.1.2",
    "R35.5.0": "5.1.3",
    "R35.6.0": "5.1.4",
    "R35.6.1": "5.1.5",
    "R36.2": "6.0 DP",
    "R36.3": "6.0",
    "R36.4": "6.1",
    "R36.4.3": "6.2",
    "R36.4.4": "6.2.1",
    "R36.5": "6.2.2",
    "R38.2": "7.0",
    "R38.2.1": "7.0",
    "R38.4": "7.1",
    "R39.2": "7.2",
    "R39.2.1": "7.2.1",
}
#: Of releases that the table does not have.
_GENERATIONS = {"R32": "4", "R34": "5", "R35": "5", "R36": "6", "R38": "7", "R39": "7"}
#: Where device trees have them: JetPack 5, and from 6 on (nv-public of tegra194 and tegra234).
_DLA = ("proc/device-tree/host1x@*/nvdla*", "proc/device-tree/bus@0/host1x@*/nvdla*")
#: Devices of the GPU: Nano and JetPack 6, Orin and Xavier and TX2 before that, Thor.
_GPU = re.compile(r"(?:[0-9a-f]+\.)?(?:gpu|ga10b|gv11b|gp10b|gpu-gpc-\d+)")


@dataclass(frozen=True, slots=True)
class Clock:
    """Between which clocks a governor may choose, and what it has chosen; in MHz.

    Attributes:
        low, high: the bounds; equal where the clock is held.
        now: the present one.
        top: that the part can have at all; the power mode may allow less.
    """

    low: float
    high: float
    now: float
    top: float

    @property
    def is_held(self) -> bool:
        """Whether nothing is left to choose, as after ``jetson_clocks``."""
        return self.low == self.high


def jetpack(system: System) -> str | None:
    """Return the JetPack whose system this is, such as ``6.2``, by the release of L4T.

    Of a release that NVIDIA's archive does not name, the generation alone, such as ``6``; None
    where there is no L4T.
    """
    release = l4t(system)
    if release is None:
        return None
    known = {_plain(key): value for key, value in _JETPACKS.items()}
    return known.get(_plain(release)) or _GENERATIONS.get(release.partition(".")[0])


def packaged_jetpack(system: System) -> str | None:
    """Return the JetPack whose libraries apt has installed; None where it has not.

    The package ``nvidia-jetpack`` holds nothing itself: CUDA, TensorRT and the rest depend on it.
    """
    said = re.match(r"\d+(?:\.\d+){1,3}", installed_version(system, "nvidia-jetpack") or "")
    return said[0] if said else None


def dla_cores(system: System) -> int:
    """Return how many deep-learning accelerators the device tree has switched on."""
    nodes = [path for pattern in _DLA for path in system.paths(pattern)]
    # Devicetree Specification 0.4, "status": a node without one is on.
    states = [system.text(f"{node}/status") or "okay" for node in nodes]
    return sum(state in ("ok", "okay") for state in states)


def gpu_clock(system: System) -> Clock | None:
    """Return the clock of a Jetson's GPU; None where the kernel shows none."""
    for path in system.paths("sys/class/devfreq/*"):
        if _GPU.fullmatch(path.rpartition("/")[2]) is None:
            continue
        bounds = [system.number(f"{path}/{name}_freq") for name in ("min", "max", "cur")]
        low, high, now = ((hertz or 0) / 1e6 for hertz in bounds)
        listed = re.findall(r"\d{1,12}", system.text(f"{path}/available_frequencies") or "")
        if high:
            top = max([high, *(int(hertz) / 1e6 for hertz in listed)])
            return Clock(low=low, high=high, now=now, top=top)
    return None


def _plain(release: str) -> str:
    """Return a release without zeros at its end: R36.4.0 is told as R36.4, too."""
    return re.sub(r"(?:\.0+)+$", "", release)
