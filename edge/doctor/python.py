"""Python, the environment that packages go into, and the libraries in it."""

from __future__ import annotations

from pathlib import Path

from edge.board.system import System
from edge.doctor.case import Case, Interpreter
from edge.doctor.finding import Finding
from edge.doctor.reach import hidden_system, sees_system
from edge.doctor.trial import try_engine, try_import

__all__ = [
    "check_engines",
    "check_environment",
    "check_libraries",
    "check_library",
    "check_picamera2",
    "check_python",
]

_OLDEST, _NEWEST = (3, 10), (3, 13)
#: Importable name, and what pip calls it.
_LIBRARIES = (("numpy", "numpy"), ("cv2", "'opencv-python-headless>=4.8,<5'"))
_LITERT = ("ai_edge_litert.interpreter", "ai-edge-litert")
#: Where Debian puts the modules that apt installs; a newer Python 3 keeps the place.
_APT = "usr/lib/python3/dist-packages"


def check_python(case: Case) -> list[Finding]:
    """Say whether this Python is one that the project is tried on."""
    version = case.python.version
    text = f"Python {version[0]}.{version[1]}"
    mend = "install Python 3.10 to 3.13 and make the environment with it"
    if version < _OLDEST:
        return [Finding("python", "fail", f"{text} is too old", mend)]
    if version > _NEWEST:
        what = f"{text} is newer than those the project is tried on"
        return [Finding("python", "warn", what, mend)]
    return [Finding("python", "ok", text)]


def check_environment(case: Case) -> list[Finding]:
    """Say where packages go, and whether pip may put them there (PEP 668)."""
    python = case.python
    if python.is_virtual:
        seen = "sees" if sees_system(case.system, python) else "does not see"
        what = f"virtual environment {python.prefix}, {seen} the system's packages"
        return [Finding("environment", "ok", what)]
    if (Path(python.standard_library) / "EXTERNALLY-MANAGED").exists():
        what = f"{python.executable} belongs to the system, and pip may not change it (PEP 668)"
        flag = "--system-site-packages " if case.is_pi or case.is_jetson else ""
        mend = f"{python.executable} -m venv {flag}~/unveil && ~/unveil/bin/pip install unveil-edge"
        return [Finding("environment", "warn", what, mend)]
    return [Finding("environment", "ok", f"no virtual environment; {python.executable}")]


def check_libraries(case: Case) -> list[Finding]:
    """Import NumPy and OpenCV."""
    return [check_library(case.python, module, name) for module, name in _LIBRARIES]


def check_library(python: Interpreter, module: str, distribution: str) -> Finding:
    """Import a library in a process of its own, so that a crash is a finding as well.

    Args:
        python: whose library it is.
        module: as it is imported.
        distribution: as pip calls it, quoted for a shell.
    """
    subject = module.partition(".")[0]
    trial = try_import(module, python=python.executable)
    if trial.good:
        return Finding(subject, "ok", trial.said)
    again = f"{python.pip} --force-reinstall --no-deps {distribution}"
    if trial.is_numpy:
        what = f"was compiled for another NumPy than the one that is there: {trial.said}"
        return Finding(subject, "fail", what, f"{python.pip} --upgrade numpy && {again}")
    if "libGL.so" in trial.said or "libgthread" in trial.said:
        mend = f"{python.executable} -m pip uninstall --yes opencv-python && {again}"
        return Finding(subject, "fail", f"needs a desktop's libraries: {trial.said}", mend)
    if "No module named" in trial.said:
        return Finding(subject, "fail", "is not installed", f"{python.pip} {distribution}")
    return Finding(subject, "fail", f"cannot be imported: {trial.said}", again)


def check_engines(case: Case) -> list[Finding]:
    """Say whether networks run: import LiteRT, then open and run one of the bundle's."""
    found = check_library(case.python, *_LITERT)
    if found.level != "ok":
        if try_import("tflite_runtime", python=case.python.executable).good:
            return [Finding("engines", "warn", "tflite-runtime alone, of 2023", found.mend)]
        return [Finding("engines", "fail", f"LiteRT {found.what}", found.mend)]
    trial = try_engine(case.bundle)
    if trial.good:
        return [Finding("engines", "ok", f"LiteRT {found.what}: {trial.said}")]
    what = f"LiteRT {found.what} runs no network: {trial.said}"
    mend = f"look at the bundle first: edge-doctor bundle; then {case.python.pip} --upgrade "
    return [Finding("engines", "fail", what, f"{mend}{_LITERT[1]}")]


def check_picamera2(case: Case) -> list[Finding]:
    """Say whether a Raspberry Pi's own camera can be used from this Python."""
    if not case.is_pi:
        return [Finding("picamera2", "ok", "not needed: no Raspberry Pi")]
    trial = try_import("picamera2", python=case.python.executable)
    if trial.good:
        return [Finding("picamera2", "ok", trial.said), *_sensors(case.system)]
    if trial.is_numpy:
        what = "the system's picamera2 was made for NumPy 1, and this environment has NumPy 2"
        return [Finding("picamera2", "warn", what, f"{case.python.pip} 'numpy<2'")]
    return [Finding("picamera2", "warn", *_out_of_reach(case, trial.said))]


def _out_of_reach(case: Case, said: str) -> tuple[str, str]:
    """Say why picamera2 cannot be imported, and the command that mends it."""
    if not case.system.paths(f"{_APT}/picamera2/__init__.py"):
        mend = "sudo apt install --no-install-recommends python3-picamera2"
        return "picamera:// needs picamera2, which is not installed", mend
    hidden = hidden_system(case)
    if hidden is not None:
        return f"picamera2 is the system's, and {hidden[0]}", hidden[1]
    return f"cannot be imported: {said}", "sudo apt install --reinstall python3-picamera2"


def _sensors(system: System) -> list[Finding]:
    """List what libcamera finds on the board's own connectors."""
    said = system.ask("rpicam-hello", "--list-cameras", patience_s=20.0)
    if said is None:
        return []
    rows = [line.strip() for line in said.splitlines()]
    sensors = [row.partition(" : ")[2].partition(" [")[0] for row in rows if " : " in row]
    if sensors:
        return [Finding("picamera2", "ok", f"cameras: {', '.join(sensors)}")]
    mend = (
        "switch off, push the ribbon cable in on both ends, contacts the right way round; "
        "camera_auto_detect=1 in /boot/firmware/config.txt"
    )
    return [Finding("picamera2", "ok", "libcamera finds no camera on the connectors", mend)]
