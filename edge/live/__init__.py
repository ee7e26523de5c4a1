"""Live work: the newest frame of a camera, faces followed from frame to frame, a budget kept."""

from __future__ import annotations

from edge.live.live import LivePipeline, Seen
from edge.live.settings import LiveSettings, Reduction

__all__ = ["LivePipeline", "LiveSettings", "Reduction", "Seen"]
