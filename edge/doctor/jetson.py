"""A Jetson: its JetPack, its accelerators, its clocks."""

from __future__ import annotations

from edge.board import jetson
from edge.board.hardware import clock_limits_mhz, l4t
from edge.doctor.case import Case
from edge.doctor.finding import Finding

__all__ = ["NEWER_JETPACK", "check_jetson"]

#: JetPack 5 has Python 3.8 and TensorRT's module for it alone; JetPack 4 has TensorRT 8.2.
_OLDEST = 6
NEWER_JETPACK = "flash JetPack 6 or newer: https://developer.nvidia.com/sdk-manager"
#: Jetson Linux Developer Guide, "jetson_clocks": until the next start.
_HOLD = "sudo jetson_clocks --store && sudo jetson_clocks; back: sudo jetson_clocks --restore"
_FREE = "sudo jetson_clocks --restore"


def check_jetson(case: Case) -> list[Finding]:
    """Name the JetPack, the accelerators and the clocks of a Jetson."""
    if not case.is_jetson:
        return [Finding("jetson", "ok", "not a Jetson")]
    return [_jetpack(case), _accelerators(case), *_clocks(case)]


def _jetpack(case: Case) -> Finding:
    """Hold the system's release against the libraries that apt has installed."""
    release, here = l4t(case.system), jetson.jetpack(case.system)
    if release is None or here is None:
        what = f"a Jetson with L4T {release or 'of unknown release'}; which JetPack is not known"
        return Finding("jetpack", "ok", what)
    what = f"JetPack {here} (L4T {release})"
    if _generation(here) < _OLDEST:
        what += " is of before Python 3.10, and its TensorRT is for its own Python alone"
        return Finding("jetpack", "warn", what, NEWER_JETPACK)
    packaged = jetson.packaged_jetpack(case.system)
    if packaged is None:
        # Each of its libraries may be installed by itself; what is missing, `gpu` tells.
        what += ", without the package nvidia-jetpack, on which CUDA and TensorRT depend"
        return Finding("jetpack", "ok", what, "sudo apt update && sudo apt install nvidia-jetpack")
    if _generation(packaged) != _generation(here):
        what += f", with the libraries of JetPack {packaged}: their GPU driver is another one's"
        return Finding("jetpack", "warn", what, "sudo apt update && sudo apt full-upgrade")
    return Finding("jetpack", "ok", f"{what}, libraries of {packaged}")


def _accelerators(case: Case) -> Finding:
    cores = jetson.dla_cores(case.system)
    if not cores:
        return Finding("dla", "ok", "no deep-learning accelerator, as on an Orin Nano")
    what = (
        f"{cores} deep-learning accelerator{'s' if cores > 1 else ''}, for edge-export build --dla"
    )
    return Finding("dla", "ok", what)


def _clocks(case: Case) -> list[Finding]:
    """Say what the clocks may do now; how far they may go at all is the power mode's."""
    gpu, (low, high) = jetson.gpu_clock(case.system), clock_limits_mhz(case.system)
    said = []
    if gpu is not None and gpu.is_held:
        said.append(f"GPU held at {gpu.high:.0f} MHz")
    elif gpu is not None:
        said.append(f"GPU {gpu.low:.0f} to {gpu.high:.0f} MHz by load, now {gpu.now:.0f}")
    if gpu is not None and gpu.high < gpu.top:
        said.append(f"its power mode keeps it below {gpu.top:.0f} MHz")
    if low is not None and high is not None:
        held = f"held at {high:.0f} MHz" if low == high else f"{low:.0f} to {high:.0f} MHz by load"
        said.append(f"processors {held}")
    if not said:
        return []
    if low == high and (gpu is None or gpu.is_held):
        return [Finding("clocks", "ok", f"{'; '.join(said)}: full power also at rest", _FREE)]
    said.append("holding them gives steadier times for full power also at rest")
    return [Finding("clocks", "ok", "; ".join(said), _HOLD)]


def _generation(version: str) -> int:
    return int(version.partition(".")[0])
