"""Where results go: a URI for each sink."""

from __future__ import annotations

from edge.errors import UsageError
from edge.sinks.base import Sink

__all__ = ["Sink", "open_sink"]


def open_sink(uri: str, *, live: bool = False, fps: float = 25.0) -> Sink:
    """Open the sink that a URI names.

    ======================  ==========================================================
    ``jsonl:PATH``          a line of JSON a frame; ``jsonl:-`` is standard output
    ``images:FOLDER``       an annotated picture a frame
    ``video:PATH``          an annotated video, ``.mp4`` or ``.avi``
    ``memory:``             the last results, for programs
    ======================  ==========================================================

    Args:
        live: the source has no end: lines are appended at once, not kept until the end.
        fps: frames a second of a video.

    Raises:
        UsageError: the scheme is unknown, or the path after it is missing.
        OutputError: the place cannot be written to.
    """
    scheme, colon, path = uri.partition(":")
    if colon and "\0" not in path:
        if scheme == "jsonl" and path:
            from edge.sinks.jsonl import JsonlSink

            return JsonlSink(path, live=live)
        if scheme == "images" and path:
            from edge.sinks.images import ImagesSink

            return ImagesSink(path)
        if scheme == "video" and path:
            from edge.sinks.video import VideoSink

            return VideoSink(path, fps=fps)
        if scheme == "memory" and not path:
            from edge.sinks.memory import MemorySink

            return MemorySink()
    raise UsageError(
        f"{uri!r} names no sink",
        hint="sinks are jsonl:PATH, jsonl:-, images:FOLDER, video:PATH and memory:",
        code="sink.uri",
    )
