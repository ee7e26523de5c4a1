"""Unplug and replug the camera of the guest, and time the service: a program for the inside.

    python3 replug.py ROUNDS LOG PID      prints a JSON object a round

Needs nothing but Python. ``captured_ns`` in the log and ``time.monotonic_ns`` are one clock.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

_DRIVER = Path("/sys/bus/platform/drivers/vivid")
_DEVICE = Path("/dev/video0")
_AWAY_S = (1.0, 4.0)
_PATIENCE_S = 60.0


def captured(log: Path, offset: int) -> list[int]:
    """Return when the frames were captured whose lines begin at an offset, in nanoseconds."""
    with open(log, "rb") as stream:
        stream.seek(offset)
        lines = stream.read().splitlines(keepends=True)
    return [json.loads(line)["captured_ns"] for line in lines if line.endswith(b"\n")]


def wait(what: object, seconds: float) -> float:
    """Wait until something holds; return after how many seconds, or infinity."""
    started = time.monotonic()
    while not what():  # type: ignore[operator]
        if time.monotonic() - started > seconds:
            return float("inf")
        time.sleep(0.02)
    return time.monotonic() - started


def one_round(number: int, log: Path, pid: int) -> dict[str, object]:
    """Unplug, wait, replug, and see when the first new frame was captured."""
    (_DRIVER / "unbind").write_text("vivid.0")
    wait(lambda: not _DEVICE.exists(), 10)
    gone_ns = time.monotonic_ns()
    time.sleep(_AWAY_S[number % len(_AWAY_S)])
    offset = log.stat().st_size
    (_DRIVER / "bind").write_text("vivid.0")
    appeared_s = wait(_DEVICE.exists, 20)
    back_ns = time.monotonic_ns()

    def new() -> list[int]:
        return [at for at in captured(log, offset) if at > back_ns]

    resulted_s = wait(new, _PATIENCE_S)
    frames = new()
    resumed = (frames[0] - back_ns) / 1e9 if frames else None
    wait(lambda: len(new()) >= 3, 20)
    return {"round": number, "away_s": (back_ns - gone_ns) / 1e9, "appeared_s": appeared_s,
            "resumed_s": resumed, "result_s": resulted_s,
            "alive": os.path.exists(f"/proc/{pid}")}  # fmt: skip


def main() -> None:
    """Do all rounds."""
    rounds, log, pid = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    for number in range(rounds):
        print(json.dumps(one_round(number, log, pid)), flush=True)


if __name__ == "__main__":
    main()
