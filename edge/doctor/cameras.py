"""Cameras that the kernel shows, who may open them, and who has."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.board.system import System
from edge.doctor.case import Case
from edge.doctor.finding import Finding

__all__ = ["Capabilities", "Query", "check_cameras", "query", "read_capabilities"]

#: linux/videodev2.h: VIDIOC_QUERYCAP is _IOR('V', 0, struct v4l2_capability), 104 bytes.
_QUERYCAP, _SIZE = 0x80685600, 104
_HAS_DEVICE_CAPS = 0x80000000
_CAPTURE = 0x00000001 | 0x00001000  # V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_CAPTURE_MPLANE
#: Nodes of a board's own pipeline: they capture, but raw sensor data or what one writes into them.
_PIPELINE = ("bcm2835-isp", "bcm2835-codec", "unicam", "rp1-cfe", "pisp", "rpi-hevc", "tegra-video")
_JOIN = 'sudo usermod -aG video "$USER", then log in again'
_MAX_HOLDERS = 4


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a device says of itself.

    Attributes:
        driver: such as ``uvcvideo``.
        card: its name.
        captures: whether it gives pictures.
    """

    driver: str
    card: str
    captures: bool


#: Asks a device file; None where it does not answer as a V4L2 device.
Query = Callable[[Path], "Capabilities | None"]


def query(device: Path) -> Capabilities | None:
    """Ask a device file what it is, without taking it from anybody."""
    try:
        handle = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISCHR(os.fstat(handle).st_mode):
            return None
        said = bytearray(_SIZE)
        fcntl.ioctl(handle, _QUERYCAP, said)
    except OSError:
        return None
    finally:
        os.close(handle)
    return read_capabilities(bytes(said))


def read_capabilities(said: bytes) -> Capabilities:
    """Read a ``struct v4l2_capability``.

    Args:
        said: its 104 bytes.
    """
    driver, card, _, _, all_bits, own_bits = struct.unpack_from("16s32s32sIII", said)
    bits = own_bits if all_bits & _HAS_DEVICE_CAPS else all_bits
    return Capabilities(_text(driver), _text(card), bool(bits & _CAPTURE))


def check_cameras(case: Case, ask: Query = query) -> list[Finding]:
    """List cameras, say whether this user may open them and whether somebody else has.

    Args:
        case: what is looked at.
        ask: how a device file is asked.
    """
    system = case.system
    devices = [system.root / path for path in system.paths("dev/video*")]
    shut = [device for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    known = [(device, ask(device)) for device in devices if device not in shut]
    cameras = [(device, said) for device, said in known if said is not None and _is_camera(said)]
    findings = []
    if shut:
        what = f"this user may not open {_names(shut, system)}"
        findings.append(Finding("cameras", "warn", what, _JOIN))
    for device, said in cameras:
        name = f"/{device.relative_to(system.root)}"
        what = f"{name}: {said.card}, as v4l2://{name}"
        holders = _holders(system, device)
        if holders:
            what += f", in use by {', '.join(holders)}"
        findings.append(Finding("cameras", "ok", what))
    if not cameras and not shut:
        what = "no camera that V4L2 shows"
        if any(said is not None for _, said in known):
            what += "; the nodes that are there belong to the board's own pipeline (picamera://)"
        findings.append(Finding("cameras", "ok", what))
    return [*findings, *_buffers(case)]


def _is_camera(said: Capabilities) -> bool:
    return said.captures and not said.driver.startswith(_PIPELINE)


def _buffers(case: Case) -> list[Finding]:
    """Say whether libcamera gets memory for its pictures; a Raspberry Pi's camera needs it."""
    system = case.system
    heaps = [system.root / path for path in system.paths("dev/dma_heap/*")]
    if not case.is_pi or any(os.access(heap, os.R_OK | os.W_OK) for heap in heaps):
        return []
    if not heaps:
        what = "there is no /dev/dma_heap, from which libcamera takes its pictures' memory"
        return [Finding("cameras", "warn", what, "sudo apt full-upgrade, then start again")]
    what = f"this user may not open {_names(heaps, system)}, and libcamera then finds no camera"
    return [Finding("cameras", "warn", what, _JOIN)]


def _holders(system: System, device: Path) -> list[str]:
    """Name the processes that have a device open, as far as this user may see it."""
    found = []
    for path in system.paths("proc/[0-9]*"):
        folder = system.root / path
        if folder.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            opened = {os.readlink(entry.path) for entry in os.scandir(folder / "fd")}
            if str(device) in opened:
                command = system.text(f"{path}/comm") or "a process"
                found.append(f"{command[:40]} ({folder.name})")
    return found[:_MAX_HOLDERS]


def _names(paths: list[Path], system: System) -> str:
    return ", ".join(f"/{path.relative_to(system.root)}" for path in paths)


def _text(field: bytes) -> str:
    text = field.split(b"\0", 1)[0].decode("utf-8", "replace")
    return "".join(c for c in text if c.isprintable())
