"""The service under a real systemd: installed from a wheel, started, hung, refused, ended.

    sudo -E python -m tests.system.systemd [--suite 12]

systemd runs in a container (systemd-nspawn) with the machine's network and without its devices;
the camera is an RTSP stream. Where the kernel still counts memory in cgroup v1, limits are
accepted and not enforced; ``tests.system.guest`` has a kernel of its own.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import time
from pathlib import Path

from tests.system.claims import Proof, run_proof
from tests.system.lab.cameras import RtspCamera
from tests.system.lab.container import Container
from tests.system.lab.host import CACHE, build_wheel, requirements_of, wheels
from tests.system.lab.roots import PYTHON, SUITES

__all__ = ["UNIT", "main"]

UNIT = "unveil-edge.service"
_CONFIG = "etc/unveil-edge/config.toml"
_EXPOSURE = re.compile(r"Overall exposure level for \S+: ([0-9.]+)")
_MAX_EXPOSURE = 2.0
#: Shorter than the unit's 20 s, so that the proof does not wait.
_WATCHDOG_S = 6
_OUTSIDE = ("/etc/unveil-edge", "/opt/unveil-edge", "/usr/local", "/root", "/home", "/var/log",
            "/boot", "/run")  # fmt: skip
_PIPE = "/var/lib/unveil-edge/pipe"
#: Opens a pipe of one page (F_SETPIPE_SZ of fcntl(2)) and never reads.
_READER = (
    "import fcntl, os, sys, time; "
    "fcntl.fcntl(os.open(sys.argv[1], os.O_RDWR), 1031, 4096); time.sleep(600)"
)
_LOG = "jsonl:/var/lib/unveil-edge/log.jsonl"
_TRACES = ("/opt/unveil-edge", "/etc/unveil-edge", "/var/lib/unveil-edge")


def configure(container: Container, source: str, *sinks: str) -> None:
    """Write the configuration of the service."""
    quoted = ", ".join(f'"{sink}"' for sink in sinks)
    text = f'source = "{source}"\nsinks = [{quoted}]\n'
    (container.root / _CONFIG).write_text(text)


def prove_install(proof: Proof, container: Container, wheel: Path) -> bool:
    """Install from the wheel as the documentation says, twice."""
    shutil.copy(wheel, container.root / "root")
    inside = f"/root/{wheel.name}"
    for command in (["python3", "-m", "venv", "/root/try"],
                    ["/root/try/bin/pip", "install", "--quiet", inside]):  # fmt: skip
        done = container.run(*command)
        if done.returncode:
            return proof.claim("pip installs the wheel", False, said=done.stderr[-300:])
    doctor = "/root/try/bin/edge-doctor"
    first = container.run(doctor, "install", "--package", inside, "--no-start")
    proof.claim("edge-doctor install makes the service", first.returncode == 0,
                actions=len(first.stdout.splitlines()), said=first.stderr[-300:])  # fmt: skip
    again = container.run(doctor, "install", "--package", inside, "--no-start")
    return proof.claim("a second time it changes nothing that is so already",
                       again.returncode == 0, said=again.stderr[-300:])  # fmt: skip


def prove_first_camera(proof: Proof, container: Container, source: str, *sinks: str) -> None:
    """A camera that is not there is awaited, and ``restart`` takes another configuration over."""
    configure(container, "v4l2:///dev/video99", *sinks)
    container.run("systemctl", "start", "--no-block", UNIT)
    time.sleep(8)  # the networks open and are warm; a reload would hang from here on
    state, pid = (container.show(UNIT, name) for name in ("ActiveState", "MainPID"))
    proof.claim("a camera that is missing at the start is awaited", state == "activating",
                status=container.show(UNIT, "StatusText"))  # fmt: skip
    configure(container, source, *sinks)
    done = container.run("systemctl", "restart", UNIT)
    proof.claim("restart takes another camera over meanwhile", done.returncode == 0
                and container.show(UNIT, "MainPID") not in ("0", pid)
                and container.show(UNIT, "ActiveState") == "active",
                said=done.stderr[-300:])  # fmt: skip
    container.run("systemctl", "stop", UNIT)


def prove_start(proof: Proof, container: Container) -> None:
    """Start to READY, by the camera's first frame."""
    started = time.monotonic()
    done = container.run("systemctl", "start", UNIT)
    status = container.show(UNIT, "StatusText")
    proof.claim("systemctl start returns after READY", done.returncode == 0
                and container.show(UNIT, "ActiveState") == "active",
                seconds=round(time.monotonic() - started, 1), status=status,
                said=done.stderr[-300:])  # fmt: skip
    time.sleep(1.5)  # STATUS= is said once a second
    status = container.show(UNIT, "StatusText")
    proof.claim("STATUS= says what it sees", "face" in status and "fps" in status, status=status)
    user = container.show(UNIT, "User")
    pid = container.show(UNIT, "MainPID")
    uid = container.run("stat", "-c", "%U", f"/proc/{pid}").stdout.strip()
    proof.claim("it runs as its own user", user == uid == "unveil-edge", user=uid)
    log = container.root / "var/lib/unveil-edge/log.jsonl"
    lines = log.read_text().count("\n") if log.exists() else 0
    proof.claim("it writes into its state directory", lines > 0, lines=lines)


def prove_hung(proof: Proof, container: Container) -> None:
    """A hung process is killed by the watchdog and comes back; a hung camera is not the service."""
    before = int(container.show(UNIT, "NRestarts"))
    first = container.show(UNIT, "MainPID")
    workers = container.run("pgrep", "-f", "edge.capture.worker").stdout.split()
    if proof.claim("the camera has a process of its own", len(workers) == 1):
        container.run("kill", "-STOP", workers[0])
        end, now = time.monotonic() + 30, workers
        while time.monotonic() < end and (now == workers or not now):
            time.sleep(0.3)
            now = container.run("pgrep", "-f", "edge.capture.worker").stdout.split()
        same = container.show(UNIT, "MainPID") == first
        proof.claim("a capture process that hangs is replaced, the service stays",
                    same and len(now) == 1 and now != workers)  # fmt: skip
    stopped = time.monotonic()
    container.run("kill", "-STOP", first)
    killed = container.wait(UNIT, "NRestarts", str(before + 1), _WATCHDOG_S + 40)
    took = time.monotonic() - stopped
    journal = container.run("journalctl", "-u", UNIT, "--no-pager", "-o", "cat").stdout
    killed = killed and "atchdog timeout" in journal
    proof.claim("a hung pipeline is killed by the watchdog", killed,
                seconds=round(took, 1), watchdog=_WATCHDOG_S)  # fmt: skip
    up = container.wait(UNIT, "SubState", "running", 60)
    proof.claim("and comes back to READY", up and container.show(UNIT, "MainPID") != first,
                seconds=round(time.monotonic() - stopped, 1))  # fmt: skip


def prove_hung_sink(proof: Proof, container: Container, source: str) -> None:
    """A sink that never returns hangs the loop alone; the watchdog is not fed by anybody else."""
    container.run("systemctl", "stop", UNIT)
    container.run("mkfifo", "-m", "666", _PIPE)
    configure(container, source, f"jsonl:{_PIPE}")
    container.run("systemd-run", "--unit=reader", "python3", "-c", _READER, _PIPE)
    container.run("systemctl", "start", UNIT)
    before = int(container.show(UNIT, "NRestarts") or 0)
    started = time.monotonic()
    killed = container.wait(UNIT, "NRestarts", str(before + 1), _WATCHDOG_S + 60)
    journal = container.run("journalctl", "-u", UNIT, "--no-pager", "-o", "cat", "-n", "20").stdout
    proof.claim("a sink that never returns ends in the watchdog, too",
                killed and "atchdog timeout" in journal,
                seconds=round(time.monotonic() - started, 1))  # fmt: skip
    container.run("systemctl", "stop", "reader", UNIT)
    container.run("rm", _PIPE)


def prove_end(proof: Proof, container: Container) -> None:
    """SIGHUP is heard, SIGTERM ends it well."""
    done = container.run("systemctl", "reload", UNIT)
    proof.claim("systemctl reload is answered with READY", done.returncode == 0
                and container.show(UNIT, "ActiveState") == "active",
                said=done.stderr[-200:])  # fmt: skip
    started = time.monotonic()
    container.run("systemctl", "stop", UNIT)
    proof.claim("SIGTERM ends it in time and well", container.show(UNIT, "Result") == "success"
                and container.show(UNIT, "ExecMainStatus") == "0",
                seconds=round(time.monotonic() - started, 1))  # fmt: skip
    log = (container.root / "var/lib/unveil-edge/log.jsonl").read_bytes()
    proof.claim("its log ends with a whole line", log.endswith(b"}\n"))


def prove_refusals(proof: Proof, container: Container, source: str) -> None:
    """Nothing is written outside, and what only a person can mend is not tried again."""
    for place in _OUTSIDE:
        if not (container.root / place.lstrip("/")).is_dir():
            continue
        configure(container, source, f"jsonl:{place}/written.jsonl")
        container.run("systemctl", "reset-failed", UNIT)
        failed = container.run("systemctl", "start", UNIT).returncode != 0
        status = container.show(UNIT, "ExecMainStatus")
        container.run("systemctl", "stop", UNIT)
        there = container.run("test", "-e", f"{place}/written.jsonl").returncode == 0
        proof.claim(f"a write to {place} is refused", failed and not there and status == "73",
                    status=int(status or -1))  # fmt: skip
    container.run("systemctl", "reset-failed", UNIT)
    (container.root / _CONFIG).write_text(f'sorce = "{source}"\n')
    before = container.show(UNIT, "NRestarts")
    container.run("systemctl", "start", UNIT)
    time.sleep(8)  # longer than RestartSec
    state, status = (container.show(UNIT, name) for name in ("ActiveState", "ExecMainStatus"))
    said = container.run("journalctl", "-u", UNIT, "--no-pager", "-o", "cat", "-n", "12").stdout
    proof.claim("a configuration error is not restarted", state == "failed" and status == "78"
                and container.show(UNIT, "NRestarts") == before,
                status=int(status or -1), hint="did you mean source" in said)  # fmt: skip


def prove_exposure(proof: Proof, container: Container) -> None:
    """Ask systemd how exposed the unit is."""
    path = container.show(UNIT, "FragmentPath")
    said = container.run("systemd-analyze", "security", "--offline=true", path).stdout
    found = _EXPOSURE.search(said)
    level = float(found.group(1)) if found else 10.0
    proof.claim("systemd-analyze security is at most 2.0", level <= _MAX_EXPOSURE, exposure=level)


def main() -> int:
    """Install and prove; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--suite", choices=sorted(SUITES), default="12")
    suite = SUITES[parser.parse_args().suite]
    with Proof("systemd") as proof, tempfile.TemporaryDirectory(prefix="unveil-camera-") as made:
        wheel = build_wheel(CACHE / "wheel")
        house = wheels("service", "x86_64", PYTHON[suite], requirements_of(wheel))
        with RtspCamera(Path(made)) as camera, Container(suite, {"/wheels": house}) as container:
            camera.start()
            version = container.run("systemctl", "--version").stdout.split("\n")[0]
            proof.fact(suite=suite, wheel=wheel.name, systemd=version)
            if prove_install(proof, container, wheel):
                folder = container.root / f"etc/systemd/system/{UNIT}.d"
                folder.mkdir(exist_ok=True)
                (folder / "lab.conf").write_text(f"[Service]\nWatchdogSec={_WATCHDOG_S}\n")
                container.run("systemctl", "daemon-reload")
                prove_first_camera(proof, container, camera.uri, _LOG)
                configure(container, camera.uri, _LOG)
                prove_start(proof, container)
                prove_hung(proof, container)
                prove_hung_sink(proof, container, camera.uri)
                configure(container, camera.uri, _LOG)
                container.run("systemctl", "start", UNIT)
                prove_end(proof, container)
                prove_refusals(proof, container, camera.uri)
                prove_exposure(proof, container)
            container.run("/root/try/bin/edge-doctor", "install", "--uninstall", "--purge")
            left = [name for name in _TRACES if (container.root / name.lstrip("/")).exists()]
            proof.claim("--uninstall --purge leaves nothing", not left, left=left)
    return proof.exit_code


if __name__ == "__main__":
    run_proof(main)
