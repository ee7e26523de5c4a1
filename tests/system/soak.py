"""The service over a long time: memory, file descriptors and threads stay where they were.

    python -m tests.system.soak --minutes 60
    python -m tests.system.soak --frames 100000     the null engine, for speed

The report goes into runs/soak: a JSON and a plot. Memory is the resident set of the service and
its children; its slope is fitted by least squares after the warm-up, with a 95 % interval from a
moving-block bootstrap (Künsch 1989), for a minute resembles the minute before it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.sources.synthetic import SyntheticSource
from tests.edge.one_face import one_face_bundle
from tests.system.claims import ROOT, Proof, run_proof
from tests.system.plot import draw
from tests.system.service import ServiceProcess, family

__all__ = ["main"]

_OUT = ROOT / "runs" / "soak"
_MAX_MIB_AN_HOUR = _MAX_MIB = 1.0
#: Threads of pools and caches of libraries come up meanwhile.
_WARM_UP = 0.2
_LONGEST_WARM_UP_S = 600.0
_BLOCKS, _RESAMPLES = 20, 2000
_CLIP_FRAMES, _CLIP_FPS = 150, 15
_LOOKS, _LOOK_S = 3, 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """The service at one moment; ``seconds`` since its READY."""

    seconds: float
    mib: float
    descriptors: int
    threads: int
    processes: int
    frames: int


@dataclass(frozen=True, slots=True)
class Slope:
    """MiB an hour, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def look(pid: int, seconds: float, metrics: Path) -> Sample:
    """Read /proc of the service and its children."""
    members = family(pid)
    mib, descriptors, threads = 0.0, 0, 0
    for member in members:
        folder = Path(f"/proc/{member}")
        try:
            status = dict(
                line.split(":", 1) for line in (folder / "status").read_text().splitlines()
            )
            mib += int(status.get("VmRSS", "0 kB").split()[0]) / 1024
            threads += int(status["Threads"])
            descriptors += _held(folder / "fd")
        except (OSError, KeyError):
            continue  # it ended meanwhile
    return Sample(seconds, mib, descriptors, threads, len(members), frames_of(metrics))


def _held(folder: Path) -> int:
    """Count descriptors that stay; a file that is being read at one look is closed at another."""
    looks = []
    for _ in range(_LOOKS):
        looks.append(len(os.listdir(folder)))
        time.sleep(_LOOK_S)
    return min(looks)


def frames_of(metrics: Path) -> int:
    """Return how many frames the metrics' file counts."""
    try:
        text = metrics.read_text()
    except OSError:
        return 0
    counts = [line.split()[1] for line in text.splitlines()
              if line.startswith("unveil_edge_frames_total ")]  # fmt: skip
    return int(float(counts[0])) if counts else 0


def slope(hours: NDArray[np.float64], mib: NDArray[np.float64]) -> Slope:
    """Fit a line and resample its residuals in blocks."""
    rate, start = np.polyfit(hours, mib, 1)
    residuals = mib - (rate * hours + start)
    count, length = len(hours), max(1, len(hours) // _BLOCKS)
    rng = np.random.default_rng(0)
    found = np.empty(_RESAMPLES)
    for i in range(_RESAMPLES):
        begins = rng.integers(0, count - length + 1, -(-count // length))
        noise = np.concatenate([residuals[begin : begin + length] for begin in begins])[:count]
        found[i] = np.polyfit(hours, rate * hours + start + noise, 1)[0]
    low, high = np.percentile(found, (2.5, 97.5))
    return Slope(float(rate), float(low), float(high))


def make_clip(path: Path) -> None:
    """Write a clip of two drawn people, one with a mask, that ends where it begins."""
    source = SyntheticSource(f"synthetic://?faces=2&masked=1&frames={_CLIP_FRAMES}")
    fourcc = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), fourcc, _CLIP_FPS, (640, 480))
    frames = [frame.image for frame in source]
    for image in (*frames, *reversed(frames)):
        writer.write(image)
    writer.release()


def configuration(source: str, folder: Path, more: str = "") -> str:
    """Return a configuration with a rotating log, kept pictures and metrics."""
    sinks = [f"jsonl:{folder}/log.jsonl?rotate_mib=1&keep=2", f"prometheus:{folder}/edge.prom"]
    return f'source = "{source}"\nsinks = {sinks}\n{more}'.replace("'", '"')


def watch(proof: Proof, config: str, folder: Path, *, seconds: float, frames: int) -> list[Sample]:
    """Run the service until its time or its frames are over, looking at it regularly."""
    samples = []
    with ServiceProcess(config, folder) as service:
        if not proof.claim("the service comes to READY", service.wait_ready(),
                           last=service.lines[-1:]):  # fmt: skip
            return []
        started = time.monotonic()
        every = 1.0 if frames else min(10.0, max(1.0, seconds / 200))
        while (now := time.monotonic() - started) < seconds:
            if service.process.poll() is not None:
                break
            samples.append(look(service.process.pid, now, folder / "edge.prom"))
            if frames and samples[-1].frames >= frames:
                break
            service.wait(lambda: False, every)
        alive = service.process.poll() is None
        fed = service.count("WATCHDOG=1")
        proof.claim("it lives to the end and feeds its watchdog", alive and fed > 0,
                    minutes=round(now / 60, 1), fed=fed)  # fmt: skip
        ended = service.stop()
        proof.claim("SIGTERM ends it with 0", ended == 0, status=ended)
    proof.fact(seconds_watched=round(now, 1), frames=frames_of(folder / "edge.prom"))
    return samples


def judge(proof: Proof, samples: list[Sample], name: str) -> None:
    """Claim what must be flat, and draw it."""
    table = np.array([astuple(sample) for sample in samples])
    warm = table[:, 0] >= min(_WARM_UP * table[-1, 0], _LONGEST_WARM_UP_S)
    late = table[warm]
    if name == "clip":
        found = slope(late[:, 0] / 3600, late[:, 1])
        proof.claim("resident memory grows by less than 1 MiB an hour (upper end of 95 %)",
                    found.high < _MAX_MIB_AN_HOUR, slope=found.value, low=found.low,
                    high=found.high, mib=float(late[:, 1].mean()), samples=len(late))  # fmt: skip
    else:
        quarter = max(len(late) // 4, 1)
        grown = float(np.median(late[-quarter:, 1]) - np.median(late[:quarter, 1]))
        proof.claim("resident memory grows by less than 1 MiB meanwhile", grown < _MAX_MIB,
                    grown=grown, mib=float(late[:, 1].mean()), samples=len(late))  # fmt: skip
    for column, what in ((2, "file descriptors"), (3, "threads"), (4, "processes")):
        low, high = int(late[:, column].min()), int(late[:, column].max())
        proof.claim(f"{what} stay constant", low == high, least=low, most=high)
    rate = (late[-1, 5] - late[0, 5]) / max(late[-1, 0] - late[0, 0], 1e-9)
    proof.claim("frames flow to the end", rate > 0, a_second=float(rate))
    _OUT.mkdir(parents=True, exist_ok=True)
    draw(_OUT / f"{name}.svg", table[:, 0] / 60, {
        "resident memory, MiB": table[:, 1], "file descriptors": table[:, 2],
        "threads": table[:, 3],
    }, shaded=float(late[0, 0]) / 60)  # fmt: skip


def main() -> int:
    """Watch, judge, write runs/soak; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--frames", type=int, default=0, help="so many on the null engine instead")
    parser.add_argument("--source", help="URI of another source than the clip")
    options = parser.parse_args()
    name = "null" if options.frames else "clip"
    with Proof(name, _OUT) as proof, tempfile.TemporaryDirectory(prefix="unveil-soak-") as made:
        folder = Path(made)
        more, seconds = "", options.minutes * 60
        if options.frames:
            bundle = one_face_bundle(folder / "bundle")
            more, seconds = f'bundle = "{bundle}"\n', 3600.0
            source = options.source or "synthetic://?faces=0&width=320&height=240"
        else:
            make_clip(folder / "clip.avi")
            source = options.source or f"file://{folder}/clip.avi?loop=1&pace=1"
        proof.fact(source=source.replace(str(folder), ""))
        config = configuration(source, folder, more)
        samples = watch(proof, config, folder, seconds=seconds, frames=options.frames)
        if options.frames:
            came = samples[-1].frames if samples else 0
            proof.claim("so many frames came through", came >= options.frames,
                        wanted=options.frames, came=came)  # fmt: skip
        if len(samples) > _BLOCKS:
            judge(proof, samples, name)
    return proof.exit_code


if __name__ == "__main__":
    run_proof(main)
