"""How much memory the builder may try its kernels in."""

from __future__ import annotations

from edge.board.hardware import meminfo_mib
from edge.board.system import System
from edge.errors import TransientError

__all__ = ["workspace_mib"]

#: What CUDA's context, TensorRT's kernels and the network itself take beside the pool. An estimate:
#: nothing was measured here; TensorRT 7 with cuDNN, which later ones do without, took 2 GB on a
#: Jetson Nano (microsoft/onnxruntime, issue 4259).
_BESIDE_MIB = 1024
#: Our largest network has 5 MB of activations; kernels that want more than this are none for a
#: board. Below the least, some convolutions find no kernel at all.
_MOST_MIB, _LEAST_MIB = 1024, 64


def workspace_mib(system: System, wanted_mib: int | None = None) -> int:
    """Return the limit of the builder's memory pool.

    GPU and processor of a Jetson share their memory, so that what the kernel calls available is
    what there is. Half of what is left beside the builder itself goes to the pool.

    Args:
        system: the machine.
        wanted_mib: take this, if there is so much.

    Raises:
        TransientError: too little memory is free.
    """
    free = meminfo_mib(system, "MemAvailable")
    if wanted_mib is not None:
        if free is not None and free < wanted_mib:
            raise _too_little(free, wanted_mib)
        return wanted_mib
    if free is None:
        return _LEAST_MIB
    fitting = int(free - _BESIDE_MIB) // 2
    if fitting < _LEAST_MIB:
        raise _too_little(free, _BESIDE_MIB + 2 * _LEAST_MIB)
    return min(fitting, _MOST_MIB)


def _too_little(free: float, needed: int) -> TransientError:
    return TransientError(
        f"{free:.0f} MiB of memory are free, and building takes {needed}",
        hint="stop what else runs (sudo systemctl stop unveil-edge), or add swap; a smaller pool: "
        f"--memory-mib {_LEAST_MIB}",
        code="build.memory",
    )
