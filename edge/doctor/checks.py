"""The checks: a function each, that looks, changes nothing, and never raises."""

from __future__ import annotations

import importlib
import os
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.bundle import Bundle
from edge.doctor.finding import Finding
from edge.errors import EdgeError
from edge.gallery import Gallery
from edge.signature import read_public_key

__all__ = [
    "check_bundle",
    "check_cameras",
    "check_disk",
    "check_engine",
    "check_gallery",
    "check_library",
    "check_python",
    "check_temperature",
    "check_throttling",
    "run_checks",
]

_OLDEST, _NEWEST = (3, 10), (3, 13)
_HOT_CELSIUS, _TOO_HOT_CELSIUS = 75.0, 85.0
_LOW_MIB, _TOO_LOW_MIB = 500, 50
#: Bits of the Raspberry Pi's firmware that hold now: raspberrypi.com, "vcgencmd get_throttled".
_THROTTLED_NOW = {0: "under-voltage", 1: "capped frequency", 2: "throttled", 3: "soft heat limit"}
_PI_THROTTLED = "devices/platform/soc/soc:firmware/get_throttled"


def run_checks(
    *, bundle: Path, gallery: Path, trust: Sequence[Path] | None = None
) -> list[Finding]:
    """Look at everything.

    Args:
        bundle: folder or file of the bundle that edge-run would take.
        gallery: file of the gallery; it need not be there.
        trust: files of public keys, one of which must have signed the bundle; None demands none.
    """
    return [
        check_python(sys.version_info[:2]),
        check_library("numpy", "numpy"),
        check_library("cv2", "opencv-python-headless"),
        check_engine(),
        check_bundle(bundle, trust),
        check_gallery(gallery, bundle),
        check_cameras(Path("/dev")),
        check_disk(gallery.parent),
        check_temperature(Path("/sys")),
        check_throttling(Path("/sys")),
    ]


def check_python(version: tuple[int, ...]) -> Finding:
    """Say whether this Python is one that the project is tried on."""
    text = ".".join(map(str, version))
    if version < _OLDEST:
        return Finding("python", "fail", f"Python {text}", "install Python 3.10 to 3.13")
    if version > _NEWEST:
        what = f"Python {text} is newer than those the project is tried on"
        return Finding("python", "warn", what, "install Python 3.10 to 3.13")
    return Finding("python", "ok", f"Python {text}")


def check_library(module: str, distribution: str) -> Finding:
    """Say whether a library can be imported, and its version."""
    try:
        library = importlib.import_module(module)
    except (ImportError, OSError) as error:
        what = f"cannot be imported: {error}"
        return Finding(module, "fail", what, f"{sys.executable} -m pip install {distribution}")
    return Finding(module, "ok", str(getattr(library, "__version__", "of unknown version")))


def check_engine() -> Finding:
    """Say whether there is a runtime for TFLite networks: LiteRT, or the older tflite-runtime."""
    litert = check_library("ai_edge_litert.interpreter", "ai-edge-litert")
    if litert.level == "ok":
        version = check_library("ai_edge_litert", "ai-edge-litert").what
        return Finding("engine", "ok", f"LiteRT {version}")
    older = check_library("tflite_runtime", "tflite-runtime")
    if older.level == "ok":
        return Finding("engine", "warn", f"tflite-runtime {older.what}", litert.mend)
    return Finding("engine", "fail", f"LiteRT {litert.what}", litert.mend)


def check_bundle(bundle: Path, trust: Sequence[Path] | None = None) -> Finding:
    """Open the bundle: every digest, every contract, every evidence, and its signature."""
    try:
        keys = None if trust is None else [read_public_key(path) for path in trust]
        opened = Bundle.open(bundle, keys=keys)
    except EdgeError as error:
        return Finding("bundle", "fail", error.what, error.hint)
    if opened.signed_by is not None:
        signed = f"signed by {opened.signed_by.name}"
    else:
        signed = "its signature was not checked" if opened.is_signed else "not signed"
    what = f"{opened.name}: {', '.join(opened.tasks)}; all digests hold; {signed}"
    return Finding("bundle", "ok", what)


def check_gallery(gallery: Path, bundle: Path) -> Finding:
    """Open the gallery for the bundle's revision, and see who else may read it."""
    if not gallery.exists():
        return Finding("gallery", "ok", f"{gallery}: none yet")
    try:
        revision = Bundle.open(bundle).artefact("identity").contract.revision
    except EdgeError:
        what = f"{gallery}: cannot be checked without a bundle"
        return Finding("gallery", "warn", what, "mend the bundle first")
    try:
        with Gallery.open(gallery, revision) as opened:
            people = opened.people()
        mode = stat.S_IMODE(gallery.stat().st_mode)
    except EdgeError as error:
        return Finding("gallery", "fail", error.what, error.hint)
    except OSError as error:
        return Finding("gallery", "fail", f"{gallery}: {error.strerror}", "check its folder")
    if mode & 0o077:
        what = f"{gallery}: others may read it (mode {mode:04o})"
        return Finding("gallery", "warn", what, f"chmod 600 '{gallery}'")
    return Finding("gallery", "ok", f"{gallery}: {len(people)} people")


def check_cameras(dev: Path) -> Finding:
    """List V4L2 devices and say whether this user may open them."""
    devices = sorted(dev.glob("video*"))
    if not devices:
        return Finding("cameras", "ok", "no V4L2 device")
    closed = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if closed:
        mend = 'sudo usermod -aG video "$USER", then log in again'
        return Finding("cameras", "warn", f"this user may not open {', '.join(closed)}", mend)
    return Finding("cameras", "ok", ", ".join(map(str, devices)))


def check_disk(folder: Path) -> Finding:
    """Say how much room there is where the gallery lies (or will lie)."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    try:
        free_mib = shutil.disk_usage(place).free // 2**20
    except OSError as error:
        return Finding("disk", "warn", f"{place}: {error.strerror}", "check the disk")
    what = f"{free_mib} MiB free at {place}"
    if free_mib < _LOW_MIB:
        level = "fail" if free_mib < _TOO_LOW_MIB else "warn"
        return Finding("disk", level, what, f"see what takes the room: du -xh '{place}' | sort -h")
    return Finding("disk", "ok", what)


def check_temperature(sys_folder: Path) -> Finding:
    """Read the hottest thermal zone."""
    zones = [_number(path) for path in sys_folder.glob("class/thermal/thermal_zone*/temp")]
    celsius = max((zone / 1000 for zone in zones if zone is not None), default=None)
    if celsius is None:
        return Finding("temperature", "ok", "not to be read on this machine")
    what = f"{celsius:.0f} °C"
    if celsius >= _HOT_CELSIUS:
        level = "fail" if celsius >= _TOO_HOT_CELSIUS else "warn"
        return Finding("temperature", level, what, "give it a heat sink, a fan, or air")
    return Finding("temperature", "ok", what)


def check_throttling(sys_folder: Path) -> Finding:
    """Read what a Raspberry Pi's firmware says of its power and heat."""
    bits = _number(sys_folder / _PI_THROTTLED, base=16)
    if bits is None:
        return Finding("throttling", "ok", "not to be read on this machine")
    now = [name for bit, name in _THROTTLED_NOW.items() if bits >> bit & 1]
    if now:
        mend = "use the board's own power supply" if bits & 1 else "cool the board"
        return Finding("throttling", "warn", f"now: {', '.join(now)}", mend)
    return Finding("throttling", "ok", "none")


def _number(path: Path, *, base: int = 10) -> int | None:
    """Read a number that the kernel shows as a file; None where there is none."""
    try:
        with open(path, encoding="ascii") as stream:
            return int(stream.read(64).strip(), base)
    except (OSError, ValueError):
        return None
