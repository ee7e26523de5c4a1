"""A source with an end: every frame in order, and every sink whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice

from edge.errors import DataError
from edge.events import Event, Listener
from edge.service.config import Config
from edge.service.parts import open_pipeline
from edge.sinks import open_sink
from edge.sources import Source

__all__ = ["run_whole"]


def run_whole(
    config: Config,
    source: Source,
    *,
    listener: Listener,
    step: Callable[[], None],
    limit: int | None = None,
) -> None:
    """Send every frame through the pipeline and into the sinks.

    Args:
        config: what to do; its source is open already.
        source: it.
        listener: hears what a sink says of itself, and what takes the place of an engine.
        step: called after each frame.
        limit: stop after so many frames.

    Raises:
        EdgeError: something cannot be opened, read or written; nothing is left behind then.
    """
    with ExitStack() as stack:
        pipeline = open_pipeline(
            config,
            stack,
            report=lambda error: listener(Event("engine", str(error), error.code)),
        )
        sinks = [
            stack.enter_context(open_sink(uri, fps=source.fps, listener=listener))
            for uri in config.sinks
        ]
        count = 0
        for frame in islice(source, limit):
            result = pipeline.run(frame)
            for sink in sinks:
                sink.write(frame, result)
            step()
            count += 1
        if count == 0 and source.skipped:
            raise DataError(
                f"{source.uri}: none of its {len(source.skipped)} pictures can be used",
                code="source.nothing",
            )
