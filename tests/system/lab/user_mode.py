"""Run a command inside an arm64 root under qemu's user mode; nothing stays mounted or running."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tests.system.lab.host import CACHE, need

__all__ = ["CPUS", "arm64_command"]

#: Processors that qemu can be: of a Raspberry Pi 4 and 5. What ``/proc/cpuinfo`` says of each
#: (Arm's part numbers). Numbers under qemu's ``max`` are not to be trusted.
CPUS = {
    "cortex-a72": ("0xd08", "0x0", "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"),
    "cortex-a76": (
        "0xd0b",
        "0x4",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc "
        "dcpop asimddp",
    ),
}


def arm64_command(
    root: Path,
    command: Sequence[str],
    *,
    cpu: str,
    binds: dict[str, Path] | None = None,
    environment: dict[str, str] | None = None,
) -> list[str]:
    """Return the command line that runs another one in a root.

    Args:
        root: of ``roots.unpack``; written to.
        command: of the inside.
        cpu: one of ``CPUS``.
        binds: folders of this machine to show read-only, by their place inside.
        environment: nothing else is passed on.
    """
    need({"bwrap": "bubblewrap", "qemu-aarch64-static": "qemu-user-static"})
    shown = [part for place, folder in (binds or {}).items()
             for part in ("--ro-bind", str(folder), place)]  # fmt: skip
    given = {"HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
             "OMP_NUM_THREADS": "1", "QEMU_CPU": cpu, **(environment or {})}  # fmt: skip
    names = [part for key, value in given.items() for part in ("--setenv", key, value)]
    return ["bwrap", "--unshare-pid", "--die-with-parent", "--clearenv", *names,
            "--bind", str(root), "/", "--dev", "/dev", "--proc", "/proc",
            "--ro-bind", "/sys", "/sys", "--tmpfs", "/tmp", "--tmpfs", "/run",
            "--ro-bind", str(_cpuinfo(cpu)), "/proc/cpuinfo",
            *shown, "--chdir", "/root", "--", *command]  # fmt: skip


def _cpuinfo(cpu: str) -> Path:
    """Return an arm64 ``/proc/cpuinfo``.

    qemu 7.2 shows this machine's own, and XNNPACK, which reads it, then ends in a segmentation
    fault.
    """
    part, variant, features = CPUS[cpu]
    lines = [
        f"processor\t: {core}\nBogoMIPS\t: 108.00\nFeatures\t: {features}\n"
        f"CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: {variant}\n"
        f"CPU part\t: {part}\nCPU revision\t: 3\n"
        for core in range(os.cpu_count() or 1)
    ]
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"cpuinfo-{cpu}"
    path.write_text("\n".join(lines) + "\n")
    return path
