"""Everything that a configuration opens, and its exchange for what another one names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress

from edge.capture import Capture
from edge.errors import EdgeError, UsageError
from edge.events import Event, Listener
from edge.live import LivePipeline
from edge.owned import Owned
from edge.pipeline import Pipeline
from edge.query import shown
from edge.service.config import Config
from edge.service.outlet import Outlet
from edge.service.parts import open_pipeline
from edge.sinks import Sink, open_sink
from edge.sources import check_camera

__all__ = ["Works"]


class Works(Owned):
    """Camera, networks, gallery and sinks of a service.

    Args:
        config: names them.
        listener: hears of camera and sinks, and of what takes the place of an engine.
        build: builds what a configuration lacks of TensorRT's engines of a precision.
        sinks: of the program around it, beside those of the configuration; closed with it.

    Attributes:
        config: in force.
        capture: where frames come from.
        live: what gives results.

    Raises:
        UsageError: the source has an end.
        EdgeError: something cannot be opened.
    """

    def __init__(
        self,
        config: Config,
        *,
        listener: Listener,
        build: Callable[[Config, str], None],
        sinks: Sequence[Sink] = (),
    ) -> None:
        self._listener = listener
        self._build = build
        self.config = config
        with ExitStack() as stack:
            # The camera takes longest to open; it does so in a process of its own meanwhile.
            self.capture = stack.enter_context(self._open_capture(config))
            self._own = [self._outlet(type(sink).__name__, sink) for sink in sinks]
            self._named = self._open_outlets(config.sinks, stack)
            self._engines = stack.enter_context(ExitStack())
            self.live = self._begin(config, self._open_warm(config, self._engines))
            stack.pop_all()

    @property
    def outlets(self) -> list[Outlet]:
        """Where results go."""
        return [*self._own, *self._named]

    def replace(self, config: Config) -> None:
        """Take over another configuration; what both name stays open, but for networks and gallery.

        These are opened anew: people may have been enrolled, and a bundle exchanged. The camera
        stays unless its URI or its settings differ. Tracks begin anew.

        Raises:
            EdgeError: something cannot be opened; everything is as it was then.
        """
        with ExitStack() as undo:
            fresh = undo.enter_context(ExitStack())
            pipeline = self._open_warm(config, fresh)
            kept = [outlet for outlet in self._named if outlet.uri in config.sinks]
            names = [outlet.uri for outlet in kept]
            # A file, a port and a spool have one owner, however a URI writes them: what goes lets
            # go first. Should the exchange fail, the next result opens it again.
            for outlet in self._named:
                if outlet not in kept:
                    outlet.rest()
            added = self._open_outlets([uri for uri in config.sinks if uri not in names], undo)
            self._exchange_live(config, pipeline)
            undo.pop_all()
        self.config, self._named = config, kept + added
        old, self._engines = self._engines, fresh
        old.close()

    def close(self) -> None:
        """Close everything; a second call does nothing.

        Raises:
            EdgeError: a sink cannot put in its place what it promised.
        """
        with ExitStack() as stack:
            for outlet in self.outlets:
                stack.callback(outlet.close)
            stack.callback(self._engines.close)
            stack.callback(self.capture.close)
            self._end_live()

    def _exchange_live(self, config: Config, pipeline: Pipeline) -> None:
        """Begin with the new pipeline, and with another source where another one is named."""
        before, capture = self.config, self.capture
        changes = (config.source, config.capture) != (before.source, before.capture)
        # A camera can be opened once only, and that it is not there is no error; anything else is
        # opened before the old one is given up.
        is_camera = check_camera(config.source) is not None
        if changes and not is_camera:
            capture = self._open_capture(config)
        self._end_live()
        if changes:
            self.capture.close()
            self.capture = self._open_capture(config) if is_camera else capture
        self.live = self._begin(config, pipeline)

    def _open_warm(self, config: Config, stack: ExitStack) -> Pipeline:
        """Open the pipeline and run every stage once, so that the first frame waits for nothing."""
        pipeline = open_pipeline(
            config, stack, report=self._tell, build=lambda precision: self._build(config, precision)
        )
        pipeline.warm_up()
        return pipeline

    def _tell(self, error: EdgeError) -> None:
        self._listener(Event("engine", str(error), error.code))

    def _begin(self, config: Config, pipeline: Pipeline) -> LivePipeline:
        return LivePipeline(pipeline, self.capture, settings=config.live)

    def _end_live(self) -> None:
        """End the thread of detection; an engine that hangs in it is never closed under it."""
        self.live.close()
        if self.live.busy_ns:
            self._engines = ExitStack()

    def _open_capture(self, config: Config) -> Capture:
        capture = Capture(config.source, listener=self._listener, settings=config.capture)
        if not capture.live:
            capture.close()
            raise UsageError(
                f"{shown(config.source)}: has an end, and a service has none",
                hint="name a camera, or play a file round with file://PATH?loop=1&pace=1",
                code="service.source",
            )
        return capture

    def _open_outlets(self, uris: Iterable[str], undo: ExitStack) -> list[Outlet]:
        outlets = []
        for uri in dict.fromkeys(uris):
            outlet = Outlet(uri, self._opener(uri), listener=self._listener)
            undo.callback(_close_quietly, outlet)
            outlets.append(outlet)
        return outlets

    def _opener(self, uri: str) -> Callable[[], Sink]:
        return lambda: open_sink(uri, live=True, listener=self._listener)

    def _outlet(self, name: str, sink: Sink) -> Outlet:
        return Outlet(name, lambda: sink, listener=self._listener)


def _close_quietly(outlet: Outlet) -> None:
    """Close a sink because of an error that is told already."""
    with suppress(EdgeError):
        outlet.close()
