"""TensorRT: whether this Python sees it, whether the system has it, and which release it is."""

from __future__ import annotations

import re

from edge.board.dpkg import installed_version
from edge.doctor.case import Case
from edge.doctor.finding import Finding
from edge.doctor.jetson import NEWER_JETPACK
from edge.doctor.reach import SYSTEM_PYTHON, hidden_system, new_environment
from edge.doctor.trial import Trial, try_gpu

__all__ = ["check_tensorrt"]

#: Where apt puts it: the module is compiled, and of one Python alone.
_PLACES = "usr/lib/python3*/dist-packages/tensorrt/__init__.py"
_PACKAGE = "python3-libnvinfer"
_APT = f"sudo apt update && sudo apt install {_PACKAGE}"
#: Those that ``edge.engines.plans`` serves.
_SERVED = "'tensorrt>=8.5,<12'"


def check_tensorrt(case: Case, level: str) -> tuple[Finding, str | None]:
    """Import TensorRT; where that fails, say which Python could, and what lets this one.

    Args:
        case: what is looked at.
        level: of a finding that keeps engines from running.

    Returns:
        The finding, and the version; None where it cannot be used.
    """
    trial = try_gpu("tensorrt", python=case.python.executable)
    if trial.good:
        return Finding("tensorrt", "ok", f"TensorRT {trial.said}"), trial.said
    if trial.said.startswith("tensorrt.version"):
        what = trial.said.partition(": ")[2]
        return Finding("tensorrt", level, what, _other_release(case, what)), None
    return Finding("tensorrt", level, *_out_of_reach(case, trial)), None


def _out_of_reach(case: Case, trial: Trial) -> tuple[str, str]:
    """Say why it cannot be imported, and the command that mends it."""
    places = case.system.paths(_PLACES)
    if not places:
        if "No module named 'tensorrt'" not in trial.said:
            return f"TensorRT cannot be imported: {trial.said}", _again(case)
        return (
            "TensorRT is not installed",
            _APT if case.is_jetson else f"{case.python.pip} {_SERVED}",
        )
    version = installed_version(case.system, _PACKAGE)
    release = f" {version.partition('-')[0]}" if version else ""
    pythons = sorted({_python_of(place) for place in places})
    own = ".".join(map(str, case.python.version))
    if own not in pythons and "" not in pythons:
        what = f"TensorRT{release} is for Python {', '.join(pythons)}, and this is {own}"
        # That of JetPack 5 is for Python 3.8, which this program does not run on.
        return what, NEWER_JETPACK if pythons == ["3.8"] else new_environment()
    hidden = hidden_system(case)
    if hidden is not None:
        return f"TensorRT{release} is the system's, and {hidden[0]}", hidden[1]
    if case.python.executable != SYSTEM_PYTHON and "No module named 'tensorrt'" in trial.said:
        what = f"TensorRT{release} is the system's, and {case.python.executable} does not see it"
        return what, new_environment()
    return f"TensorRT{release} cannot be imported: {trial.said}", _again(case)


def _other_release(case: Case, what: str) -> str:
    """Return what brings a release that is served."""
    if not case.is_jetson:
        return f"{case.python.pip} {_SERVED}"
    if re.match(r"TensorRT [1-8]\.", what):
        return NEWER_JETPACK
    return f"{case.python.pip} --upgrade unveil-edge: this one is of before it"


def _again(case: Case) -> str:
    if case.is_jetson:
        # The module alone does not bring the libraries that it loads.
        return f"sudo apt install --reinstall nvidia-tensorrt {_PACKAGE}"
    return f"{case.python.pip} --force-reinstall {_SERVED}"


def _python_of(place: str) -> str:
    """Return the Python of a folder such as usr/lib/python3.10; empty for that of all."""
    said = re.search(r"/python(\d\.\d+)/", place)
    return said[1] if said else ""
