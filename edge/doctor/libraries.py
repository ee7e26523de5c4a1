"""PyCUDA and cuda-python: which is there, and which of the two engines use."""

from __future__ import annotations

from dataclasses import dataclass

from edge.doctor.case import Case, Interpreter
from edge.doctor.finding import Finding
from edge.doctor.trial import Trial, try_import

__all__ = ["check_cuda_libraries"]

#: Since 12.6.1, and before.
_CUDA_PYTHON, _CUDA_PYTHON_OLD = "cuda.bindings.driver", "cuda.cuda"


@dataclass(frozen=True, slots=True)
class _Commands:
    """What changes the libraries of one Python, for a driver of one version of CUDA."""

    python: Interpreter
    driver: str

    @property
    def pycuda(self) -> str:
        """Install it: it is compiled on the board, by what lies in CUDA's own folder."""
        return f"PATH=/usr/local/cuda/bin:$PATH {self.python.pip} pycuda"

    @property
    def no_pycuda(self) -> str:
        return f"{self.python.executable} -m pip uninstall --yes pycuda"

    @property
    def cuda_python(self) -> str:
        """Install it: a driver serves its own major version of CUDA and earlier ones.

        The library shares that with CUDA: nvidia.github.io/cuda-python, "Support Policy".
        """
        major = self.driver.partition(".")[0]
        below = f"'cuda-python<{int(major) + 1}'" if major.isdecimal() else "cuda-python"
        return f"{self.python.pip} {below}"


def check_cuda_libraries(case: Case, driver: str, level: str) -> list[Finding]:
    """Say which library engines go through; PyCUDA goes first (``edge.engines.gpu.open_gpu``).

    Args:
        case: what is looked at.
        driver: version of CUDA that the driver has.
        level: of a finding that keeps engines from running.
    """
    pycuda, cuda_python = _try_both(case.python)
    commands = _Commands(case.python, driver)
    base = f"driver of CUDA {driver}"
    bad_pycuda = _broken("PyCUDA", pycuda, level, f"{commands.pycuda} --force-reinstall")
    if not pycuda.good and not cuda_python.good:
        what = f"{base}, and neither cuda-python nor PyCUDA, through which engines use it"
        mend = f"{commands.cuda_python} (or: {commands.pycuda})"
        again = f"{commands.cuda_python} --force-reinstall"
        broken = [*bad_pycuda, *_broken("cuda-python", cuda_python, level, again)]
        return broken or [Finding("cuda", level, what, mend)]
    if pycuda.good:
        return [_with_pycuda(base, commands, pycuda, cuda_python)]
    what = f"{base}; cuda-python {cuda_python.said} is used, with CUDA graphs"
    if bad_pycuda:
        return [Finding("cuda", "ok", what), *bad_pycuda]
    mend = f"{commands.pycuda}: PyCUDA is used then, without CUDA graphs"
    return [Finding("cuda", "ok", what, mend)]


def _try_both(python: Interpreter) -> tuple[Trial, Trial]:
    """Import PyCUDA, and cuda-python."""
    pycuda = try_import("pycuda.driver", python=python.executable)
    cuda_python = try_import(_CUDA_PYTHON, python=python.executable)
    if not cuda_python.good and "No module named" in cuda_python.said:
        cuda_python = try_import(_CUDA_PYTHON_OLD, python=python.executable)
    return pycuda, cuda_python


def _with_pycuda(base: str, commands: _Commands, pycuda: Trial, cuda_python: Trial) -> Finding:
    """PyCUDA is used, whatever cuda-python is: say what that one would bring."""
    if cuda_python.good:
        what = f"{base}; PyCUDA {pycuda.said} is used, cuda-python {cuda_python.said} is not"
        mend = f"{commands.no_pycuda}: cuda-python is used then, and records CUDA graphs"
    else:
        what = f"{base}; PyCUDA {pycuda.said} is used, which records no CUDA graphs"
        mend = f"{commands.cuda_python} && {commands.no_pycuda}: cuda-python records them"
    return Finding("cuda", "ok", what, mend)


def _broken(name: str, trial: Trial, level: str, mend: str) -> list[Finding]:
    """Report a library that is there and does not load: not to have it is no fault."""
    if trial.good or "No module named" in trial.said:
        return []
    return [Finding("cuda", level, f"{name} cannot be imported: {trial.said}", mend)]
