"""Frames and results for tests of sinks: drawn by nobody, found by nobody."""

from __future__ import annotations

import time

import numpy as np

from edge.frames import Frame
from edge.results import Detection, FaceResult, FrameResult, Identity, Live, MaskState, StageTime

__all__ = ["make_face", "make_pair"]


def make_face(
    state: str = "masked", *, track: int | None = None, person: str | None = None
) -> FaceResult:
    """Return a face of no particular place."""
    return FaceResult(
        Detection(np.array([1, 2, 30, 40], np.float32), 0.9, np.zeros((5, 2), np.float32)),
        MaskState(state, 0.75),
        identity=Identity(person, 0.5, False),
        track=track,
    )


def make_pair(
    index: int,
    *faces: FaceResult,
    captured_ns: int | None = None,
    live: Live | None = None,
    size: tuple[int, int] = (48, 64),
) -> tuple[Frame, FrameResult]:
    """Return a frame of one grey and its result."""
    captured_ns = time.monotonic_ns() if captured_ns is None else captured_ns
    image = np.full((*size, 3), 10 + index % 200, np.uint8)
    frame = Frame(image, index, captured_ns, "v4l2:///dev/video0")
    times = {"detect": StageTime(0, 4_000_000, 0, 1), "mask": StageTime()}
    result = FrameResult(
        index, frame.source, captured_ns, faces, stage_ns=times, total_ns=5_000_000, live=live
    )
    return frame, result
