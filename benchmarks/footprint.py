"""What the runtime costs a small board before any frame is fast: time to import, to a first
result, and resident memory; each in a fresh process.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.errors import EdgeError

__all__ = ["Footprint", "measure_footprint"]

_ROUNDS = 5
#: The import by the clock of the process that does it: the interpreter's own start varies more.
_IMPORT = """
import time
start = time.perf_counter_ns()
import edge
print(time.perf_counter_ns() - start)
"""
#: ``edge-run``, then its own high-water mark. What ``wait4`` says would count the pages of the
#: process that started it (exec(2) keeps the older maximum).
_RUN = """
import sys
from edge.cli.run import main
code = main(sys.argv[1:])
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])
sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Medians over fresh processes.

    Attributes:
        import_ms: of ``import edge`` in a running interpreter.
        first_result_ms: of ``edge-run`` on one picture, from start to exit.
        resident_mib: the largest resident memory of that process.
    """

    import_ms: float
    first_result_ms: float
    resident_mib: float

    def to_json(self) -> dict[str, object]:
        """Return plain numbers by name."""
        return asdict(self)


def measure_footprint(picture: Path) -> Footprint:
    """Measure on one picture with the default bundle.

    Args:
        picture: any picture that ``edge-run`` reads.

    Raises:
        EdgeError: a process failed.
    """
    loaded, whole, resident = [], [], []
    for _ in range(_ROUNDS):
        loaded.append(int(_child(["-c", _IMPORT])[1]) / 1e6)
        taken, kib = _child(["-c", _RUN, "--source", str(picture)])
        whole.append(taken)
        resident.append(int(kib) / 1024)
    return Footprint(
        import_ms=round(statistics.median(loaded), 2),
        first_result_ms=round(statistics.median(whole), 1),
        resident_mib=round(statistics.median(resident), 1),
    )


def _child(arguments: list[str]) -> tuple[float, str]:
    """Run Python and return its milliseconds and the last line that it printed."""
    start = time.perf_counter_ns()
    done = subprocess.run(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    taken = (time.perf_counter_ns() - start) / 1e6
    if done.returncode:
        raise EdgeError(f"edge-run {' '.join(arguments[2:])}: exit code {done.returncode}")
    return taken, (done.stdout.splitlines() or [""])[-1]
