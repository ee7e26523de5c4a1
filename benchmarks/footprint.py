"""What the runtime costs a small board before any frame is fast: time to import, to a first
result, and resident memory; each in a fresh process.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.errors import EdgeError

__all__ = ["Footprint", "measure_footprint"]

_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Footprint:
    """Medians over fresh processes.

    Attributes:
        import_ms: of ``import edge``, the interpreter's own start taken off.
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
    run = ["-m", "edge.cli.run", "--source", str(picture), "--sink", "jsonl:-"]
    empty, loaded, whole = [], [], []
    for _ in range(_ROUNDS):
        empty.append(_child(["-c", "pass"])[0])
        loaded.append(_child(["-c", "import edge"])[0])
        whole.append(_child(run))
    return Footprint(
        import_ms=round(statistics.median(loaded) - statistics.median(empty), 2),
        first_result_ms=round(statistics.median(ms for ms, _ in whole), 1),
        resident_mib=round(statistics.median(mib for _, mib in whole), 1),
    )


def _child(arguments: list[str]) -> tuple[float, float]:
    """Run Python and return its milliseconds and its largest resident memory in MiB."""
    start = time.perf_counter_ns()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    taken = (time.perf_counter_ns() - start) / 1e6
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise EdgeError(f"python {' '.join(arguments)}: exit code {process.returncode}")
    return taken, usage.ru_maxrss / 1024  # Linux counts kibibytes
