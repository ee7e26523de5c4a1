"""A whole arm64 machine under qemu: Debian's kernel, systemd, and a V4L2 camera to unplug."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from pathlib import Path

from edge.errors import UnavailableError
from edge.owned import Owned
from tests.system.lab.cameras import free_port
from tests.system.lab.host import CACHE, need, run
from tests.system.lab.roots import Recipe, unpack

__all__ = ["Guest"]

_PACKAGES = ("linux-image-arm64", "initramfs-tools", "lz4", "systemd", "systemd-sysv", "dbus",
             "udev", "kmod", "iproute2", "openssh-server", "v4l-utils", "python3", "python3-venv",
             "python3-pip", "ca-certificates", "procps", "libgomp1")  # fmt: skip
#: The initrd needs only what finds the disk; there before the kernel is installed.
_BEFORE = {
    "/usr/share/initramfs-tools/conf.d/lab.conf": "MODULES=list\nCOMPRESS=lz4\nFSTYPE=ext4\n",
    "/usr/share/initramfs-tools/modules.d/lab": "virtio_pci\nvirtio_blk\nvirtio_net\next4\n",
}
#: One vivid device that only captures, so that /dev/video0 is the camera.
_FILES = {
    "etc/hostname": "unveil-edge-guest\n",
    "etc/hosts": "127.0.0.1 localhost unveil-edge-guest\n",
    "etc/fstab": "/dev/vda / ext4 defaults,noatime 0 1\n",
    "etc/systemd/network/20-lab.network": "[Match]\nType=ether\n[Network]\nDHCP=yes\n",
    "etc/modules-load.d/lab.conf": "vivid\n",
    "etc/modprobe.d/lab.conf": "options vivid n_devs=1 node_types=0x1 allocators=0\n",
    "etc/ssh/sshd_config.d/lab.conf": "PermitRootLogin prohibit-password\nUseDNS no\n",
    "etc/systemd/system.conf.d/lab.conf": (
        "[Manager]\nDefaultTimeoutStartSec=300s\nDefaultDeviceTimeoutSec=300s\n"
    ),
}
_MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer",
           "e2scrub_all.timer", "e2scrub_reap.service",
           "systemd-networkd-wait-online.service")  # fmt: skip
_ENABLED = {"multi-user.target.wants": ("ssh.service", "systemd-networkd.service")}
_DISK = "8G"
_APPEND = "root=/dev/vda rw console=ttyAMA0 quiet loglevel=4 systemd.show_status=0 net.ifnames=0"


class Guest(Owned):
    """The running machine; closing it powers it off and forgets what it wrote.

    Args:
        suite: ``bookworm`` or ``trixie``.
        cpu: ``cortex-a72`` or ``cortex-a76``.
        share: a folder of this machine, read-only at ``/mnt/host``.

    Raises:
        UnavailableError: a program is missing, or it does not come up.
    """

    def __init__(self, suite: str, cpu: str, share: Path) -> None:
        need({"qemu-system-aarch64": "qemu-system-arm ipxe-qemu", "qemu-img": "qemu-utils",
              "ssh": "openssh-client", "ssh-keygen": "openssh-client",
              "mke2fs": "e2fsprogs"})  # fmt: skip
        self._base = _base(suite)
        self._state = CACHE / f"guest-{suite}-running"
        shutil.rmtree(self._state, ignore_errors=True)
        self._state.mkdir(parents=True)
        self._disk = self._state / "disk.qcow2"
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
             "-b", self._base / "disk.img", self._disk])  # fmt: skip
        self._cpu, self._share = cpu, share
        self._qemu: subprocess.Popen[bytes] | None = None
        self._port = 0
        self.start()

    def start(self) -> None:
        """Boot it, and wait for ssh and the camera."""
        self._port = free_port()
        base, console = self._base, self._state / "console.log"
        self._qemu = subprocess.Popen(
            ["qemu-system-aarch64", "-M", "virt", "-cpu", self._cpu, "-accel", "tcg,thread=multi",
             "-smp", "2", "-m", "2048", "-nodefaults", "-display", "none",
             "-kernel", base / "vmlinuz", "-initrd", base / "initrd.img", "-append", _APPEND,
             "-drive", f"file={self._disk},if=none,id=d0,format=qcow2,cache=unsafe",
             "-device", "virtio-blk-pci,drive=d0",
             "-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{self._port}-:22",
             "-device", "virtio-net-pci,netdev=n0,romfile=", "-device", "virtio-rng-pci",
             "-virtfs", f"local,path={self._share},mount_tag=host,security_model=none,readonly=on",
             "-serial", f"file:{console}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + 400
        try:
            while self._qemu.poll() is None and time.monotonic() < end:
                if self.run("test -e /dev/video0", seconds=30).returncode == 0:
                    self.run("mkdir -p /mnt/host; mountpoint -q /mnt/host || mount -t 9p "
                             "-o trans=virtio,version=9p2000.L,ro host /mnt/host")  # fmt: skip
                    return
                time.sleep(1)
            raise UnavailableError(f"the guest did not come up; see {console}")
        except BaseException:
            self.cut_power()
            raise

    def run(self, command: str, *, seconds: float = 900.0) -> subprocess.CompletedProcess[str]:
        """Run a shell command as its root; its output and exit status are returned."""
        try:
            return subprocess.run(self.ssh(command), capture_output=True, text=True,
                                  timeout=seconds, check=False)  # fmt: skip
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 255, "", "timed out")

    def ssh(self, command: str) -> list[str]:
        """Return the command line that runs a shell command in it."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR",
                   "BatchMode=yes", "ConnectTimeout=20", "ServerAliveInterval=20")  # fmt: skip
        return ["ssh", "-i", str(self._base / "key"), *(p for o in options for p in ("-o", o)),
                "-p", str(self._port), "root@127.0.0.1", command]  # fmt: skip

    def put(self, path: Path, place: str) -> None:
        """Copy a file into it."""
        with open(path, "rb") as stream:
            subprocess.run(self.ssh(f"cat >{place}"), stdin=stream, check=True)

    def cut_power(self) -> None:
        """Kill it as it stands; what the guest had not synced is lost."""
        if self._qemu is not None and self._qemu.poll() is None:
            self._qemu.kill()
            self._qemu.wait()

    def close(self) -> None:
        """Power it off and delete its disk; a second call does nothing."""
        if self._qemu is not None and self._qemu.poll() is None:
            self.run("systemctl poweroff", seconds=20)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._qemu.wait(60)
            self.cut_power()
        self._disk.unlink(missing_ok=True)


def _base(suite: str) -> Path:
    """Return the folder with kernel, initrd, disk and key; made once."""
    base = CACHE / f"guest-{suite}"
    if not base.exists():
        root, part = CACHE / f"guest-{suite}-root", base.with_name(base.name + ".part")
        unpack(Recipe("arm64", suite, _PACKAGES, _BEFORE), root, fresh=True)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", part / "key"])
        _settle(root, (part / "key.pub").read_text())
        for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd.img", "initrd.img-*")):
            shutil.copy(sorted((root / "boot").glob(pattern))[-1], part / name)
        run(["truncate", "-s", _DISK, part / "disk.img"])
        run(["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1,lazy_journal_init=1",
             "-d", root, "-F", part / "disk.img"])  # fmt: skip
        run(["rm", "-rf", "--one-file-system", root])
        part.rename(base)
    return base


def _settle(root: Path, key: str) -> None:
    """Write what makes the root a machine that boots by itself and lets us in."""
    for name, content in _FILES.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    for unit in _MASKED:
        _link(root / "etc/systemd/system" / unit, "/dev/null")
    for target, units in _ENABLED.items():
        for unit in units:
            _link(root / "etc/systemd/system" / target / unit, f"/lib/systemd/system/{unit}")
    ssh = root / "root/.ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    (ssh / "authorized_keys").write_text(key)
    (ssh / "authorized_keys").chmod(0o600)


def _link(place: Path, target: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(target)
