"""What a capture process costs: the two copies through its ring, and the time to hand a frame over.

    python -m benchmarks.capture

One row a size: milliseconds to write a frame into the ring and to read it out, both the median of
many; milliseconds from the moment at which another process had a frame until ``take`` gave it, at
30 frames a second, median and 99th percentile; and the memory of the ring.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.capture.camera import Camera
from edge.capture.mailbox import Mailbox
from edge.capture.ring import SLOTS, Layout, Ring
from edge.capture.settings import CaptureSettings
from edge.capture.status import Status
from edge.frames import Frame

__all__ = ["Cost", "main", "measure"]

_SIZES = ((640, 480), (1280, 720), (1920, 1080))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a frame of one size costs.

    Attributes:
        width, height: in pixels.
        write_ms, read_ms: medians of the copies into and out of the ring.
        handover_ms, handover_p99_ms: from capture in another process to ``take``.
        ring_mib: size of the ring.
    """

    width: int
    height: int
    write_ms: float
    read_ms: float
    handover_ms: float
    handover_p99_ms: float
    ring_mib: float


def measure(width: int, height: int, frames: int) -> Cost:
    """Measure one size over so many frames."""
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    frame = Frame(image=image, index=0, captured_ns=0, source="noise")
    layout = Layout.of(frame)
    writes, reads = [], []
    with Ring.make(layout) as ring, Ring.attach(os.dup(ring.handle), layout) as reader:
        for number in range(frames):
            start = time.perf_counter_ns()
            ring.write(number % SLOTS, frame)
            written = time.perf_counter_ns()
            reader.read(number % SLOTS)
            writes.append(written - start)
            reads.append(time.perf_counter_ns() - written)
    ages_ns = _handover(frame, frames)
    return Cost(
        width,
        height,
        float(np.median(writes)) / 1e6,
        float(np.median(reads)) / 1e6,
        float(np.median(ages_ns)) / 1e6,
        float(np.percentile(ages_ns, 99)) / 1e6,
        layout.ring_bytes / 2**20,
    )


def _handover(frame: Frame, frames: int) -> list[int]:
    """Return the ages of frames from a process of their own when ``take`` gives them, in ns."""
    with tempfile.TemporaryDirectory() as folder:
        # A bitmap: what is measured is the way of a frame, not the decoding of one.
        picture = Path(folder) / "noise.bmp"
        cv2.imwrite(str(picture), frame.image)
        uri = f"file://{picture}?loop=1&pace=1&fps=30"
        mailbox = Mailbox()
        camera = Camera(uri, mailbox, Status(uri, 30, lambda _: None), CaptureSettings())
        thread = threading.Thread(target=camera.run)
        thread.start()
        try:
            ages: list[int] = []
            while len(ages) < frames:
                taken = mailbox.take(1.0)
                if taken is not None:
                    ages.append(time.monotonic_ns() - taken.captured_ns)
        finally:
            camera.stop()
            mailbox.close()
            thread.join()
    return ages


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=300, help="a size (default: 300)")
    options = parser.parse_args(argv)
    print("size        write ms  read ms  handover ms  p99 ms  ring MiB")
    for width, height in _SIZES:
        cost = measure(width, height, options.frames)
        print(
            f"{f'{width}x{height}':<10}  {cost.write_ms:8.3f}  {cost.read_ms:7.3f}  "
            f"{cost.handover_ms:11.2f}  {cost.handover_p99_ms:6.2f}  {cost.ring_mib:8.1f}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
