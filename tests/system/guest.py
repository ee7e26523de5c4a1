"""A whole arm64 machine: installed from a wheel, the service on /dev/video0, 20 replugs.

    sudo -E python -m tests.system.guest [--suite 12] [--cpu cortex-a76] [--replugs 20]

Everything is emulated, so that times are far above a board's.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from tests.system.claims import Proof, run_proof
from tests.system.lab.guest import Guest
from tests.system.lab.host import CACHE, build_wheel, requirements_of, wheels
from tests.system.lab.roots import PYTHON, SUITES
from tests.system.lab.user_mode import CPUS
from tests.system.systemd import UNIT

__all__ = ["main"]

_RESUME_S = 3.0
_LOG = "/var/lib/unveil-edge/log.jsonl"
_PIP = "PIP_NO_INDEX=1 PIP_FIND_LINKS=/mnt/host PIP_DISABLE_PIP_VERSION_CHECK=1"
#: Emulated networks are slow: the watchdog must not take that for a hang.
_DROP_IN = "[Service]\nWatchdogSec=120\nTimeoutStartSec=600\n"


def show(guest: Guest, name: str) -> str:
    """Return a property of the unit."""
    return guest.run(f"systemctl show -P {name} {UNIT}").stdout.strip()


def configure(guest: Guest, more: str = "") -> None:
    """Write the configuration and start the service anew."""
    text = f'source = "v4l2:///dev/video0"\nsinks = ["jsonl:{_LOG}"]\n{more}'
    guest.run(f"cat >/etc/unveil-edge/config.toml <<'END'\n{text}END\n")
    guest.run(f"systemctl stop {UNIT}; rm -f {_LOG}; systemctl reset-failed {UNIT}")
    guest.run(f"systemctl start {UNIT}")


def prove_install(proof: Proof, guest: Guest, wheel: Path) -> bool:
    """Install from the wheel as the documentation says."""
    started = time.monotonic()
    doctor = "/root/try/bin/edge-doctor"
    done = guest.run(
        f"export {_PIP} && python3 -m venv /root/try && "
        f"/root/try/bin/pip install -q /mnt/host/{wheel.name} && "
        f"{doctor} install --package /mnt/host/{wheel.name} --no-start && "
        f"mkdir -p /etc/systemd/system/{UNIT}.d && "
        f"printf '{_DROP_IN}' >/etc/systemd/system/{UNIT}.d/lab.conf && systemctl daemon-reload",
        seconds=3000,
    )
    return proof.claim("the wheel and the service install on arm64", done.returncode == 0,
                       minutes=round((time.monotonic() - started) / 60, 1),
                       said=done.stderr[-300:])  # fmt: skip


def prove_camera(proof: Proof, guest: Guest) -> None:
    """Come to READY on the camera with the real networks, inside the unit's sandbox."""
    started = time.monotonic()
    configure(guest)
    took = round(time.monotonic() - started, 1)
    proof.claim("the service is ready on /dev/video0 inside its sandbox",
                show(guest, "ActiveState") == "active", seconds=took,
                status=show(guest, "StatusText"))  # fmt: skip
    line = guest.run(f"tail -n 1 {_LOG}").stdout
    timing = json.loads(line)["timing_ms"] if line.endswith("\n") else {}
    proof.claim("results come from the real networks", timing.get("detect", 0) > 0, **timing)
    memory = show(guest, "MemoryCurrent")
    proof.claim("memory is counted and below the unit's limit", memory.isdigit()
                and 0 < int(memory) < int(show(guest, "MemoryHigh")),
                mib=int(memory) >> 20 if memory.isdigit() else None)  # fmt: skip


def prove_replugs(proof: Proof, guest: Guest, rounds: int) -> None:
    """Unplug and replug; the process stays and frames flow again."""
    # Without networks a result follows its capture at once, and the log says when that was.
    configure(guest, 'engine = "null"\n')
    pid, restarts = show(guest, "MainPID"), show(guest, "NRestarts")
    guest.put(Path(__file__).parent / "lab" / "replug.py", "/root/replug.py")
    said = guest.run(f"python3 /root/replug.py {rounds} {_LOG} {pid}", seconds=rounds * 120).stdout
    found = [json.loads(line) for line in said.splitlines()]
    resumed = [one["resumed_s"] for one in found]
    well = [value for value in resumed if value is not None]
    proof.claim("frames flow again after every replug", len(well) == rounds, rounds=rounds,
                resumed=len(well))  # fmt: skip
    if well:
        proof.claim("within 3 s of the device's return", max(well) < _RESUME_S,
                    worst_s=round(max(well), 2), median_s=round(sorted(well)[len(well) // 2], 2),
                    seconds=[round(value, 2) for value in well])  # fmt: skip
    proof.claim("no restart of the process", show(guest, "MainPID") == pid
                and show(guest, "NRestarts") == restarts)  # fmt: skip
    journal = guest.run(f"journalctl -u {UNIT} --no-pager -o cat").stdout
    proof.claim("every loss and return is told once", journal.count("frames again") >= rounds,
                told=journal.count("frames again"))  # fmt: skip
    guest.run(f"systemctl stop {UNIT}")
    proof.claim("SIGTERM ends it well", show(guest, "Result") == "success")


def main() -> int:
    """Install and prove; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--suite", choices=sorted(SUITES), default="12")
    parser.add_argument("--cpu", choices=sorted(CPUS), default="cortex-a76")
    parser.add_argument("--replugs", type=int, default=20)
    options = parser.parse_args()
    suite = SUITES[options.suite]
    with Proof("guest") as proof, tempfile.TemporaryDirectory(prefix="unveil-guest-") as made:
        share = Path(made)
        wheel = build_wheel(CACHE / "wheel-guest")
        for path in (
            wheel,
            *wheels("service", "aarch64", PYTHON[suite], requirements_of(wheel)).glob("*.whl"),
        ):
            shutil.copy(path, share)
        with Guest(suite, options.cpu, share) as guest:
            proof.fact(suite=suite, cpu=options.cpu, wheel=wheel.name,
                       guest_kernel=guest.run("uname -r").stdout.strip())  # fmt: skip
            if prove_install(proof, guest, wheel):
                prove_camera(proof, guest)
                prove_replugs(proof, guest, options.replugs)
    return proof.exit_code


if __name__ == "__main__":
    run_proof(main)
