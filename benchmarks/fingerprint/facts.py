"""What each result carries of the machine: no name of host or user, no serial number."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.fingerprint.checkout import revision
from edge import __version__
from edge.board import hardware
from edge.board.system import System

__all__ = ["Fingerprint", "machine", "take_fingerprint"]

#: Name in a fingerprint: distributions that carry the library, and the module itself, for systems
#: that install it without a record.
_LIBRARIES = {
    "numpy": (("numpy",), "numpy"),
    "opencv": (
        ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless"),
        "cv2",
    ),
    "ai-edge-litert": (("ai-edge-litert",), ""),
    "tflite-runtime": (("tflite-runtime",), ""),
    "onnxruntime": (("onnxruntime", "onnxruntime-gpu"), ""),
}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The fixed facts of a run.

    Attributes:
        board: None where neither a device tree nor the firmware names one.
        processor: its model.
        architecture: such as ``aarch64``.
        cores, cores_allowed: logical processors that are online, and that this process may use.
        memory_mib: that the kernel has.
        kernel, os: release of the kernel, name of the system.
        governor: who chooses the clock; None where nobody does.
        min_mhz, max_mhz: between which clocks it chooses.
        power_mode: of a Jetson.
        versions: of Python, the project and the libraries that are installed.
        engine, threads: that ran the networks.
        bundle: sha256 of its manifest, which holds the digests of all else.
        revision: commit of the checkout, ``dirty`` behind it; None in an installed package.
    """

    board: str | None
    processor: str
    architecture: str
    cores: int
    cores_allowed: int
    memory_mib: int | None
    kernel: str
    os: str
    governor: str | None
    min_mhz: float | None
    max_mhz: float | None
    power_mode: str | None
    versions: Mapping[str, str]
    engine: str
    threads: int
    bundle: str
    revision: str | None

    def to_json(self) -> dict[str, object]:
        """Return the fields; what is not known is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def take_fingerprint(
    *, engine: str, threads: int, bundle: str, root: Path = Path("/")
) -> Fingerprint:
    """Look at the machine.

    Args:
        engine: name of what runs the networks.
        threads: of each engine.
        bundle: digest of the bundle.
        root: of the system that is looked at.
    """
    system = System(root)
    online, allowed = hardware.cores(system)
    slowest, fastest = hardware.clock_limits_mhz(system)
    return Fingerprint(
        board=hardware.board(system),
        processor=hardware.processor(system),
        architecture=platform.machine(),
        cores=online,
        cores_allowed=allowed,
        memory_mib=hardware.memory_mib(system),
        kernel=system.text("proc/sys/kernel/osrelease") or platform.release(),
        os=hardware.operating_system(system),
        governor=hardware.governor(system),
        min_mhz=slowest,
        max_mhz=fastest,
        power_mode=hardware.power_mode(system),
        versions=_versions(),
        engine=engine,
        threads=threads,
        bundle=bundle,
        revision=revision(Path(__file__).resolve().parents[2]),
    )


def machine(root: Path = Path("/")) -> dict[str, object]:
    """Return board or processor, cores and Python: what a table's caption needs."""
    system = System(root)
    return {
        "processor": hardware.board(system) or hardware.processor(system),
        "architecture": platform.machine(),
        "cores": hardware.cores(system)[0],
        "python": platform.python_version(),
    }


def _versions() -> dict[str, str]:
    """Return the versions of what is installed."""
    found = {"python": platform.python_version(), "unveil-edge": __version__}
    for name, (distributions, module) in _LIBRARIES.items():
        version = _version(distributions, module)
        if version:
            found[name] = version
    return found


def _version(distributions: tuple[str, ...], module: str) -> str | None:
    for distribution in distributions:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    try:
        return str(importlib.import_module(module).__version__) if module else None
    except (ImportError, AttributeError, OSError):
        return None
