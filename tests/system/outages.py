"""An RTSP camera and an MQTT broker that die, hang and return.

python -m tests.system.outages [--rounds 5]
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import random
import tempfile
import time
from pathlib import Path

import numpy as np

from edge.frames import Frame
from edge.results import FrameResult
from edge.sinks import open_sink
from edge.sinks.mqtt.spool import Spool
from tests.system.claims import Proof, run_proof
from tests.system.lab.cameras import Broker, RtspCamera
from tests.system.lab.listener import ONE_FACE, Listener
from tests.system.service import ServiceProcess

__all__ = ["main"]

#: The camera's own server starts within a second, a stream begins with its next key frame.
_BACK_S = 8.0
_PAUSE_S = 2.0
_MESSAGES_A_SECOND = 100


def grows(log: Path, seconds: float) -> float:
    """Wait until a log grows; return after how many seconds, or infinity."""
    started, size = time.monotonic(), log.stat().st_size if log.exists() else 0
    while time.monotonic() - started < seconds:
        if log.exists() and log.stat().st_size > size:
            return time.monotonic() - started
        time.sleep(0.02)
    return float("inf")


def prove_camera(proof: Proof, folder: Path, rounds: int) -> None:
    """Cut the camera's power and hang it, again and again, under the running service."""
    log = folder / "log.jsonl"
    with RtspCamera(folder / "pictures") as camera:
        camera.start()
        config = (
            f'source = "{camera.uri}"\nsinks = ["jsonl:{log}"]\n'
            f"[capture]\nlongest_pause_s = {_PAUSE_S}\n"
        )
        with ServiceProcess(config, folder) as service:
            if not proof.claim("the service is ready with an RTSP camera", service.wait_ready(),
                               said=service.lines[-1:]):  # fmt: skip
                return
            for kind, cut, back in (("dies", camera.die, camera.start),
                                    ("hangs", camera.hang, camera.go_on)):  # fmt: skip
                lost, resumed = 0, []
                for _ in range(rounds):
                    now = time.monotonic()
                    cut()
                    lost += service.wait(functools.partial(_lost, service, now), 30)
                    back()
                    resumed.append(grows(log, 30))
                    # Only a stream that outlasts the longest pause counts as well again.
                    service.wait(lambda: False, _PAUSE_S + 1)
                proof.claim(f"a camera that {kind} is told as lost, once each time",
                            lost == rounds, rounds=rounds, told=lost)  # fmt: skip
                proof.claim(f"frames flow again after it {kind} and is back",
                            max(resumed) < _BACK_S, worst_s=round(max(resumed), 2),
                            median_s=round(float(np.median(resumed)), 2))  # fmt: skip
            alive = service.process.poll() is None
            proof.claim("the process was never restarted and ends with 0",
                        alive and service.stop() == 0)  # fmt: skip
    lines = log.read_bytes().splitlines(keepends=True)
    proof.claim("every line of the log is whole", all(line.endswith(b"}\n") for line in lines),
                lines=len(lines))  # fmt: skip


def _lost(service: ServiceProcess, since: float) -> bool:
    return any(at >= since and ("lost" in text or "STATUS=camera" in text)
               for at, text in (*service.told, *service.lines))  # fmt: skip


def prove_broker(proof: Proof, folder: Path, rounds: int) -> None:
    """Publish steadily while the broker dies and returns; everything arrives, in order."""
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 0, 0, "outage")
    chance = random.Random(6)
    sent, worst_ms, spool = 0, 0.0, folder / "spool"
    with Broker(folder) as broker:
        broker.start()
        with Listener(broker.port, "edge/one") as listener:
            broker.save()
            uri = f"mqtt://127.0.0.1:{broker.port}/edge/one?spool={spool}&every_s=0"
            with open_sink(uri, live=True) as sink:

                def publish(seconds: float) -> None:
                    nonlocal sent, worst_ms
                    end = time.monotonic() + seconds
                    while time.monotonic() < end:
                        began = time.monotonic()
                        sink.write(frame, FrameResult(sent, "outage", sent, (ONE_FACE,)))
                        worst_ms = max(worst_ms, (time.monotonic() - began) * 1e3)
                        sent += 1
                        time.sleep(1 / _MESSAGES_A_SECOND)

                publish(1)
                for _ in range(rounds):
                    broker.die()
                    publish(chance.uniform(0.5, 3))
                    broker.start()
                    publish(chance.uniform(0.5, 4))
                listener.wait(lambda: len(set(listener.frames)) >= sent, 60)
            found = listener.frames
            listener.wait(lambda: "offline" in listener.words[-1:], 5)
            lost = sorted(set(range(sent)) - set(found))
            proof.claim("everything arrives although the broker dies and returns", not lost,
                        rounds=rounds, sent=sent, lost=len(lost),
                        twice=len(found) - len(set(found)))  # fmt: skip
            first = list(dict.fromkeys(found))
            proof.claim("in its order", first == sorted(first))
            proof.claim("write never waits for the network", worst_ms < 250,
                        worst_ms=round(worst_ms, 1))  # fmt: skip
            told = "online" in listener.words and listener.words[-1] == "offline"
            proof.claim("availability says online, and offline at the end", told)
    with contextlib.closing(Spool(str(spool), limit_bytes=1 << 24)) as waiting:
        proof.claim("nothing waits in the spool any more", len(waiting) == 0, waiting=len(waiting))


def main() -> int:
    """Prove both; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("camera", "broker"))
    options = parser.parse_args()
    with Proof("outages") as proof, tempfile.TemporaryDirectory(prefix="unveil-outage-") as made:
        for name, prove in (("broker", prove_broker), ("camera", prove_camera)):
            if options.only in (None, name):
                folder = Path(made) / name
                folder.mkdir()
                prove(proof, folder, options.rounds)
    return proof.exit_code


if __name__ == "__main__":
    run_proof(main)
