"""Frames as they come: the newest of a camera, all of a file, and a camera that comes back."""

from __future__ import annotations

from edge.capture.capture import Capture
from edge.capture.settings import CaptureSettings

__all__ = ["Capture", "CaptureSettings"]
