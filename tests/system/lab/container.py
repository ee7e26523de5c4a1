"""A Debian booted by systemd-nspawn: systemd is process 1 there, the network is this machine's.

Module and program: as a program it prepares its mount namespace and becomes systemd-nspawn.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from edge.errors import UnavailableError
from edge.owned import Owned
from tests.system.claims import ROOT
from tests.system.lab.host import CACHE, need
from tests.system.lab.roots import Recipe, unpack

__all__ = ["PACKAGES", "Container"]

PACKAGES = ("systemd", "systemd-sysv", "dbus", "udev", "procps", "python3", "python3-venv",
            "python3-pip", "ca-certificates", "iproute2", "libgomp1")  # fmt: skip
_NAME = "unveil-edge-lab"
_CGROUP = Path("/sys/fs/cgroup")
#: Nothing in the container needs them; apt's timers would want a network.
_MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer",
           "e2scrub_all.timer", "systemd-networkd.service", "systemd-resolved.service")  # fmt: skip


class Container(Owned):
    """A booted container; closing it powers it off.

    Args:
        suite: ``bookworm`` or ``trixie``.
        binds: folders of this machine to show read-only, by their place inside.

    Attributes:
        root: where its files lie on this machine.

    Raises:
        UnavailableError: a program is missing, or it does not come up.
    """

    def __init__(self, suite: str, binds: dict[str, Path]) -> None:
        need({"systemd-nspawn": "systemd-container", "nsenter": "util-linux"})
        self.root = unpack(Recipe("amd64", suite, PACKAGES), CACHE / f"amd64-{suite}", fresh=True)
        _settle(self.root)
        log = CACHE / f"container-{suite}.log"
        shown = [f"--bind-ro={folder}:{place}" for place, folder in binds.items()]
        with open(log, "wb") as words:
            self._nspawn = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "--",
                 sys.executable, "-m", "tests.system.lab.container",
                 f"--directory={self.root}", "--boot", "--keep-unit", "--register=no",
                 "--console=pipe", f"--machine={_NAME}", "--resolv-conf=off", "--timezone=off",
                 "--link-journal=no", *shown],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=words, stderr=words,
                start_new_session=True,
            )  # fmt: skip
        try:
            self._wait_until_up(120.0)
        except BaseException:
            self.close()
            raise

    def run(self, *command: str, seconds: float = 600.0) -> subprocess.CompletedProcess[str]:
        """Run a command inside; its output and exit status are returned."""
        inside = ["nsenter", "--target", str(self._leader()), "--mount", "--uts", "--ipc", "--pid",
                  "--cgroup", "--root", "--wd", "--", "/usr/bin/env", "-i", "HOME=/root",
                  "LANG=C.UTF-8", "SYSTEMD_PAGER=cat", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels",
                  "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_ROOT_USER_ACTION=ignore",
                  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                  *command]  # fmt: skip
        return subprocess.run(inside, capture_output=True, text=True, timeout=seconds, check=False)

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit, such as ``NRestarts``."""
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def wait(self, unit: str, name: str, value: str, seconds: float) -> bool:
        """Wait until a property of a unit has a value."""
        end = time.monotonic() + seconds
        while self.show(unit, name) != value:
            if time.monotonic() > end:
                return False
            time.sleep(0.3)
        return True

    def close(self) -> None:
        """Power it off; a second call does nothing."""
        if self._nspawn.poll() is None:
            with contextlib.suppress(UnavailableError, subprocess.TimeoutExpired):
                self.run("systemctl", "poweroff", seconds=10)
            try:
                self._nspawn.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self._nspawn.pid, signal.SIGTERM)
                self._nspawn.wait(10)
        for top in (_CGROUP, _CGROUP / "unified"):
            _remove_cgroup(top / _NAME)

    def _leader(self) -> int:
        """Return the container's process 1, as this machine numbers it.

        Raises:
            UnavailableError: there is none (yet).
        """
        pid = self._nspawn.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                if Path(f"/proc/{child}/comm").read_text().strip() in ("systemd", "init"):
                    return int(child)
        raise UnavailableError(f"the container is not up; see {CACHE}/container-*.log")

    def _wait_until_up(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._nspawn.poll() is None:
            time.sleep(0.3)
            with contextlib.suppress(UnavailableError):
                state = self.run("systemctl", "is-system-running").stdout.strip()
                if state in ("running", "degraded"):
                    return
        raise UnavailableError(f"the container did not come up; see {CACHE}/container-*.log")


def _settle(root: Path) -> None:
    """Give a fresh root a name and take away what would only wait for a network."""
    (root / "etc/hostname").write_text(f"{_NAME}\n")
    for name in ("fstab", "machine-id"):
        (root / "etc" / name).write_text("")
    for unit in _MASKED:
        place = root / "etc/systemd/system" / unit
        place.unlink(missing_ok=True)
        place.symlink_to("/dev/null")
    folder = root / "etc/systemd/journald.conf.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lab.conf").write_text("[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\n")


def _remove_cgroup(folder: Path) -> None:
    """Remove the empty groups that a container left."""
    if folder.is_dir():
        for path, _, _ in os.walk(folder, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)


def _become_nspawn(arguments: list[str]) -> None:
    """Give the container a cgroup v2 tree, also where this machine has the old one; then exec."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(_CGROUP)], capture_output=True, text=True,
                          check=True).stdout.strip()  # fmt: skip
    if kind != "cgroup2fs":
        subprocess.run(["umount", "-R", "-l", str(_CGROUP)], check=True)
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", str(_CGROUP)], check=True)
    group = _CGROUP / _NAME
    group.mkdir(exist_ok=True)
    (group / "cgroup.procs").write_text(str(os.getpid()))
    os.execvp("systemd-nspawn", ["systemd-nspawn", *arguments])


if __name__ == "__main__":
    _become_nspawn(sys.argv[1:])
