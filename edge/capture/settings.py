"""How long a camera may be silent, and how long it is left alone before it is tried again."""

from __future__ import annotations

from dataclasses import dataclass

from edge.settings import setting

__all__ = ["CaptureSettings"]


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """Patience with a camera; a file needs none.

    A camera slower than a frame in a third of ``stall_s`` is given the time of three frames.
    """

    stall_s: float = setting(
        3.0,
        "seconds without a frame after which the capture process is ended and started anew",
        low=1.0,
        high=600.0,
    )
    open_s: float = setting(
        20.0,
        "seconds that starting the capture process and opening the camera may take together",
        low=1.0,
        high=600.0,
    )
    first_pause_s: float = setting(
        0.2, "seconds before a lost camera is opened again the first time", low=0.01, high=60.0
    )
    longest_pause_s: float = setting(
        15.0,
        "seconds to which that pause grows, doubling from attempt to attempt",
        low=0.01,
        high=3600.0,
    )
