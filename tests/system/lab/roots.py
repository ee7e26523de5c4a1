"""Debian root file systems of two architectures, made once by mmdebstrap and kept as archives."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import UnavailableError
from tests.system.lab.host import CACHE, apt_settings, apt_sources, need, need_root, run

__all__ = ["PYTHON", "SUITES", "Recipe", "binfmt", "unpack"]

#: Debian's numbers and names; the Python that each carries.
SUITES = {"12": "bookworm", "13": "trixie"}
PYTHON = {"bookworm": "3.11", "trixie": "3.13"}

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
#: The ELF header of an aarch64 program and which of its bits count (qemu's own
#: scripts/qemu-binfmt-conf.sh). Flag F: the kernel opens qemu now, no chroot needs to hold it.
_AARCH64 = (
    r":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:"
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:"
    "{qemu}:POCF"
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A root file system.

    Attributes:
        arch: ``amd64`` or ``arm64``, as Debian says it.
        suite: ``bookworm`` or ``trixie``.
        packages: beyond the smallest system.
        files: content of files that must be there before the packages come, by place.
    """

    arch: str
    suite: str
    packages: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def archive(self) -> Path:
        """Where it is kept; other packages or files have another name."""
        told = ",".join((*self.packages, *(f"{k}={v}" for k, v in self.files.items())))
        key = hashlib.sha256(told.encode()).hexdigest()[:12]
        return CACHE / f"root-{self.arch}-{self.suite}-{key}.tar.zst"


def binfmt() -> None:
    """Let the kernel hand aarch64 programs to qemu's user mode.

    Raises:
        UnavailableError: qemu is missing, or the kernel cannot.
    """
    need({"qemu-aarch64-static": "qemu-user-static"})
    entry = _BINFMT / "qemu-aarch64"
    if not (_BINFMT / "register").exists():
        run(["mount", "-t", "binfmt_misc", "binfmt_misc", _BINFMT])
    if entry.exists():
        told = entry.read_text()
        if told.startswith("enabled") and "F" in told.partition("flags:")[2].splitlines()[0]:
            return
        entry.write_text("-1")
    qemu = shutil.which("qemu-aarch64-static")
    (_BINFMT / "register").write_text(_AARCH64.format(qemu=qemu))


def unpack(recipe: Recipe, folder: Path, *, fresh: bool = False) -> Path:
    """Make a root from its archive, and the archive if there is none yet (minutes).

    Args:
        recipe: what is in it.
        folder: made; one that is there is used as it is, unless
        fresh: says that it must be as new.

    Returns:
        The folder.

    Raises:
        UnavailableError: a program is missing, or mmdebstrap failed.
    """
    need_root()
    need({"mmdebstrap": "mmdebstrap", "zstd": "zstd", "arch-test": "arch-test"})
    if recipe.arch == "arm64":
        binfmt()
    if not recipe.archive.exists():
        _bootstrap(recipe)
    if fresh and folder.exists():
        run(["rm", "-rf", "--one-file-system", folder])
    if not folder.exists():
        part = folder.with_name(folder.name + ".part")
        if part.exists():
            run(["rm", "-rf", "--one-file-system", part])
        part.mkdir(parents=True)
        run(["tar", "--zstd", "-xf", recipe.archive, "-C", part, "--numeric-owner"])
        part.rename(folder)
    return folder


def _bootstrap(recipe: Recipe) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    part, settings = recipe.archive.with_suffix(".part"), CACHE / "apt.conf"
    settings.write_text(apt_settings() + "\n")
    without = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "locale", "doc")]
    print(f"lab: making {recipe.archive.name}, some minutes the first time", flush=True)
    command = ["mmdebstrap", "--mode=root", f"--architectures={recipe.arch}", "--variant=minbase",
               "--format=tar", f"--aptopt={settings}", f"--include={','.join(recipe.packages)}",
               "--dpkgopt=force-unsafe-io", *without, *_hooks(recipe), recipe.suite, "-",
               "-"]  # fmt: skip
    log = recipe.archive.with_suffix(".log")
    with open(part, "wb") as archive, open(log, "wb") as words:
        make = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
        pack = subprocess.Popen(["zstd", "-q", "-T0", "-3"], stdin=make.stdout, stdout=archive)
        assert make.stdin is not None and make.stdout is not None
        make.stdout.close()
        make.stdin.write("\n".join(apt_sources(recipe.suite)).encode())
        make.stdin.close()
        failed = make.wait() | pack.wait()
    if failed:
        part.unlink()
        raise UnavailableError(f"mmdebstrap could not make {recipe.archive.name}; see {log}")
    part.rename(recipe.archive)


def _hooks(recipe: Recipe) -> list[str]:
    """Return what lays a recipe's files down before the packages are installed."""
    hooks = []
    for place, content in recipe.files.items():
        here = CACHE / "files" / recipe.suite / place.lstrip("/")
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_text(content)
        folder = shlex.quote(str(Path(place).parent).lstrip("/"))
        hooks += [f'--essential-hook=mkdir -p "$1"/{folder}',
                  f"--essential-hook=upload {shlex.quote(str(here))} {place}"]  # fmt: skip
    return hooks
