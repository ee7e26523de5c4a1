"""What the lab takes from this machine: programs, the package mirrors it already uses, wheels."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from edge.errors import UnavailableError
from tests.system.claims import ROOT

__all__ = [
    "CACHE",
    "apt_settings",
    "apt_sources",
    "build_wheel",
    "copy_checkout",
    "need",
    "need_root",
    "requirements_of",
    "run",
    "site_packages",
    "wheels",
]

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unveil-edge" / "lab"
#: Rooms and files that a wheel is made of; runs/, demo/ and .git are not looked at.
_WHEEL_OF = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "edge", "export", "benchmarks",
             "models", "systemd")  # fmt: skip
#: Extras of setup.py that the service's install has, and the marker of one.
_EXTRAS = ("mqtt", "metrics", "signed")
_EXTRA = re.compile(r"""(?:;| and)\s*extra == ["'](\w+)["']""")
#: glibc of the oldest wheels and of Debian 12; pip wants every tag named.
_GLIBC = range(17, 37)


def run(command: Sequence[str | Path], **settings: object) -> str:
    """Run a command and return what it printed.

    Raises:
        UnavailableError: it failed; its last line is in the message.
    """
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False,
        **settings,  # type: ignore[call-overload]
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no word"]
        raise UnavailableError(f"{command[0]} ended with {done.returncode}: {last[0]}")
    return str(done.stdout)


def need(packages: dict[str, str]) -> None:
    """Hold that programs are there.

    Args:
        packages: the Debian package of each program.

    Raises:
        UnavailableError: some are not; the hint is the command that brings all of them.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    missing = [name for name in packages if not shutil.which(name, path=path)]
    if missing:
        wanted = sorted({packages[name] for name in missing})
        raise UnavailableError(
            f"not installed: {', '.join(missing)}",
            hint=f"run: sudo apt-get install {' '.join(wanted)}",
            code="lab.missing",
        )


def need_root() -> None:
    """Hold that this is root: file systems are made and mounted.

    Raises:
        UnavailableError: it is not.
    """
    if os.geteuid() != 0:
        raise UnavailableError("the lab makes root file systems", hint="run it as root: sudo -E …")


def apt_sources(suite: str) -> list[str]:
    """Return the lines of this machine's own Debian mirrors, for another suite.

    Raises:
        UnavailableError: apt knows no Debian mirror here.
    """
    form = "$(ORIGIN)|$(REPO_URI)|$(CODENAME)|$(COMPONENT)"
    listed = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    own = run(["sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME"]).strip()
    lines = set()
    for row in listed.splitlines():
        origin, uri, codename, component = row.split("|")
        if origin == "Debian" and component == "main" and codename.startswith(own):
            lines.add(f"deb {uri} {suite}{codename[len(own) :]} main")
    if not lines:
        raise UnavailableError("apt knows no Debian mirror here", hint="run: apt-get update")
    return sorted(lines)


def apt_settings() -> str:
    """Return proxy, TLS and freshness settings of this machine's apt as an apt.conf."""
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::Check")
    lines = run(["apt-config", "dump"]).splitlines()
    return "\n".join(line for line in lines if line.startswith(wanted) and not line.endswith('"";'))


def wheels(name: str, machine: str, python: str, requirements: Sequence[str]) -> Path:
    """Return a folder with the wheels of requirements for another machine; fetched once.

    Args:
        name: of the folder in the cache.
        machine: ``x86_64`` or ``aarch64``.
        python: such as ``3.11``.
        requirements: as pip reads them.
    """
    key = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]
    folder = CACHE / f"wheels-{name}-{machine}-{python}-{key}"
    if not folder.is_dir():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        run([sys.executable, "-m", "pip", "download", "--quiet", "--dest", part,
             *_platform(machine, python), *requirements])  # fmt: skip
        part.rename(folder)
    return folder


def site_packages(folder: Path, machine: str, python: str) -> Path:
    """Return a folder for PYTHONPATH with the wheels of ``wheels``, unpacked without emulation."""
    site = folder.with_name(folder.name.replace("wheels-", "site-", 1))
    if not site.is_dir():
        part = site.with_name(site.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        run([sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
             "--no-compile", "--target", part, *_platform(machine, python),
             *sorted(folder.glob("*.whl"))])  # fmt: skip
        part.rename(site)
    return site


def _platform(machine: str, python: str) -> list[str]:
    tags = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC]
    tags += [f"manylinux2014_{machine}", f"linux_{machine}"]
    abis = ("cp" + python.replace(".", ""), "abi3", "none")
    return ["--only-binary=:all:", "--implementation", "cp", "--python-version", python,
            *(flag for tag in tags for flag in ("--platform", tag)),
            *(flag for abi in abis for flag in ("--abi", abi))]  # fmt: skip


def requirements_of(wheel: Path) -> list[str]:
    """Return what a device's install of a wheel pulls: its requirements and those of its extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().partition("\n\n")[0].splitlines()
    found = []
    for line in lines:
        key, _, value = line.partition(": ")
        extra = _EXTRA.search(value)
        if key == "Requires-Dist" and (extra is None or extra.group(1) in _EXTRAS):
            found.append(_EXTRA.sub("", value).strip().rstrip(";").strip())
    return found


def copy_checkout(folder: Path, names: Sequence[str] = _WHEEL_OF) -> Path:
    """Copy the checkout, or a part of it, and return the folder; an older copy goes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name,
                            ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def build_wheel(folder: Path) -> Path:
    """Build the distribution's wheel from a copy of the checkout, which stays as it is."""
    source = copy_checkout(folder / "source")
    for old in folder.glob("*.whl"):
        old.unlink()
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, source])
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    return wheel
