"""The power goes while people are enrolled and lines are logged; what was told is still there.

    sudo -E python -m tests.system.power_cut [--cuts 5]

An emulated arm64 machine is killed as it stands. Its disk holds what its kernel had been told to
sync; everything else is gone, unlike after a SIGKILL.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tests.system.claims import Proof, run_proof
from tests.system.lab.guest import Guest
from tests.system.lab.host import (
    CACHE,
    build_wheel,
    copy_checkout,
    requirements_of,
    run,
    site_packages,
    wheels,
)
from tests.system.lab.roots import PYTHON, SUITES
from tests.system.lab.user_mode import CPUS

__all__ = ["main"]

_FIRST, _MORE = 6, 5
_PYTHON = "PYTHONPATH=/mnt/host/checkout:/mnt/host/site PYTHONDONTWRITEBYTECODE=1 python3"
_OPENED = """
import json, pathlib
import numpy as np
from edge.frames import Frame
from edge.gallery import Gallery
from edge.results import FrameResult
from edge.sinks import open_sink
log = pathlib.Path('/var/lib/log.jsonl')
sink = open_sink(f'jsonl:{log}?fsync=line', live=True)
gallery = Gallery.open('/var/lib/people.gallery', 'r1', create=True)
people = len(gallery.people())
"""
#: Says a number when a person and a line of this number are on the disk.
_WORK = (
    _OPENED
    + """
frame = Frame(np.zeros((2, 2, 3), np.uint8), 0, 0, 'cut')
for n in range(people, people + 100000):
    row = np.random.default_rng(n).standard_normal(128).astype('float32')
    gallery.enrol(f'person {n}', row / np.linalg.norm(row), masked=False)
    sink.write(frame, FrameResult(n, 'cut', n))
    print(n, flush=True)
"""
)
_LOOK = (
    _OPENED
    + """
lines = log.read_bytes().splitlines(keepends=True)
frames = {json.loads(line)['frame'] for line in lines if line.endswith(b'\\n')}
print(people, len(lines), *sorted(frames))
"""
)


@dataclass(slots=True)
class Count:
    """What was told and what was found, over all cuts."""

    told: int = 0
    opened: int = 0
    lost_people: int = 0
    lost_lines: int = 0
    torn: int = 0


def one_cut(guest: Guest, after: int, count: Count) -> None:
    """Let it work until it has told of some, cut the power, boot, look."""
    with subprocess.Popen(guest.ssh(f"{_PYTHON} /root/work.py"), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as work:  # fmt: skip
        assert work.stdout is not None
        told = [int(line) for line in islice(work.stdout, after)]
        guest.cut_power()
        told += [int(number) for number in work.stdout.read().split()]
    guest.start()
    said = guest.run(f"{_PYTHON} /root/look.py").stdout.split()
    if said and told:
        people, lines, frames = int(said[0]), int(said[1]), {int(number) for number in said[2:]}
        count.opened += 1
        count.told += len(told)
        count.lost_people += max(0, told[-1] + 1 - people)
        count.lost_lines += len(set(told) - frames)
        count.torn += lines - len(frames)


def main() -> int:
    """Cut and judge; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--suite", choices=sorted(SUITES), default="12")
    parser.add_argument("--cpu", choices=sorted(CPUS), default="cortex-a76")
    parser.add_argument("--cuts", type=int, default=5)
    options = parser.parse_args()
    suite, count = SUITES[options.suite], Count()
    with Proof("power-cut") as proof, tempfile.TemporaryDirectory(prefix="unveil-power-") as made:
        share = Path(made)
        copy_checkout(share / "checkout", ("edge",))
        wheel = build_wheel(CACHE / "wheel-power")
        house = wheels("service", "aarch64", PYTHON[suite], requirements_of(wheel))
        run(["cp", "-r", site_packages(house, "aarch64", PYTHON[suite]), share / "site"])
        with Guest(suite, options.cpu, share) as guest:
            for name, program in (("work", _WORK), ("look", _LOOK)):
                (share / f"{name}.py").write_text(program)
                guest.run(f"cp /mnt/host/{name}.py /root && sync")
            proof.fact(suite=suite, guest_kernel=guest.run("uname -r").stdout.strip())
            for cut in range(options.cuts):
                one_cut(guest, _FIRST + _MORE * cut, count)
        proof.claim("after every cut the machine boots, gallery and log open",
                    count.opened == options.cuts, cuts=options.cuts)  # fmt: skip
        proof.claim("every acknowledged template is there", count.lost_people == 0,
                    acknowledged=count.told, lost=count.lost_people)  # fmt: skip
        proof.claim("every acknowledged line is there and whole",
                    count.lost_lines == 0 and count.torn == 0,
                    acknowledged=count.told, lost=count.lost_lines, torn=count.torn)  # fmt: skip
    return proof.exit_code


if __name__ == "__main__":
    run_proof(main)
