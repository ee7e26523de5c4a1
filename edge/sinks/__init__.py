"""Where results go: a URI for each sink."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from edge.errors import UsageError
from edge.events import Listener
from edge.query import read_query, shown, split_query
from edge.sinks.base import Sink

__all__ = ["Sink", "check_sink", "open_sink"]

_CODE = "sink.query"


def open_sink(
    uri: str, *, live: bool = False, fps: float = 25.0, listener: Listener | None = None
) -> Sink:
    """Open the sink that a URI names; docs/sinks.md has the options behind its ``?``.

    ==========================  ==========================================================
    ``jsonl:PATH``              a line of JSON a frame; ``jsonl:-`` is standard output
    ``images:FOLDER``           annotated pictures
    ``video:PATH``              annotated video, ``.mp4`` or ``.avi``
    ``mqtt://HOST/TOPIC``       messages to a broker
    ``prometheus:HOST:PORT``    counters to be fetched; ``prometheus:PATH.prom`` is a file
    ``memory:``                 the last results, for programs
    ==========================  ==========================================================

    Args:
        live: the source has no end: what is written is bounded and there at once, not kept until
            the end.
        fps: frames a second of a video of a source with an end.
        listener: hears what the sink has to say of itself, such as a broker that is away; may be
            called from any thread.

    Raises:
        UsageError: the scheme or an option is unknown, or the path after it is missing.
        MissingInput, ConfigError: a file with a password or certificates cannot be used.
        UnavailableError: a library is missing.
        OutputError: the place cannot be written to.
    """
    return _opener(uri, live, fps, listener)()


def check_sink(uri: str) -> None:
    """Read a live source's sink's URI, and its password, and open nothing.

    Raises:
        UsageError: as ``open_sink`` would.
        MissingInput, ConfigError: the file with the password cannot be used.
    """
    _opener(uri, True, 25.0, None)


def _opener(uri: str, live: bool, fps: float, listener: Listener | None) -> Callable[[], Sink]:
    """Return what opens the sink; whatever can be wrong with the URI itself is refused before."""
    scheme, colon, path = split_query(uri, code=_CODE)[0].partition(":")
    if colon and scheme in ("prometheus", "memory") and "?" in uri:
        raise UsageError(f"{shown(uri)}: takes no options", code=_CODE)
    if scheme == "jsonl" and path:
        from edge.sinks.jsonl import JsonlOptions, JsonlSink

        _, lines = read_query(uri, JsonlOptions, code=_CODE)
        return partial(JsonlSink, path, live=live, options=lines, listener=listener)
    if scheme == "images" and path:
        from edge.sinks.images import ImagesOptions, ImagesSink, SnapshotsSink

        _, images = read_query(uri, ImagesOptions, code=_CODE)
        return partial(SnapshotsSink, path, images) if live else partial(ImagesSink, path)
    if scheme == "video" and path:
        from edge.sinks.segments import SegmentsSink, VideoOptions
        from edge.sinks.video import VideoSink, codec_of

        _, video = read_query(uri, VideoOptions, code=_CODE)
        codec_of(path)
        return partial(SegmentsSink, path, video) if live else partial(VideoSink, path, fps=fps)
    if scheme == "mqtt" and colon:
        from edge.sinks.mqtt import MqttSink, read_address

        return partial(MqttSink, read_address(uri), live=live, listener=listener)
    if scheme == "prometheus" and colon:
        from edge.sinks.metrics import MetricsFileSink, MetricsPortSink, read_place

        if path.endswith(".prom"):
            return partial(MetricsFileSink, path)
        return partial(MetricsPortSink, *read_place(path))
    if scheme == "memory" and colon and not path:
        from edge.sinks.memory import MemorySink

        return MemorySink
    raise UsageError(
        f"{shown(uri)!r} names no sink",
        hint="sinks are jsonl:PATH, jsonl:-, images:FOLDER, video:PATH, mqtt://HOST/TOPIC, "
        "prometheus:HOST:PORT, prometheus:PATH.prom and memory:",
        code="sink.uri",
    )
