"""Counters for Prometheus: on a local port, or in a file for node_exporter's textfile collector.

Nobody's name, no track and no path is in them, and no label has more values than are listed here.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections import Counter as Tally
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from edge import __version__
from edge.board.system import System
from edge.board.thermal import Thermometer
from edge.errors import OutputError, UnavailableError, UsageError
from edge.events import Event
from edge.frames import Frame
from edge.results import EXTRAS, STAGES, FrameResult
from edge.sinks.base import Sink, not_written

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["MetricsFileSink", "MetricsPortSink", "read_place"]

_DEFAULT_HOST, _DEFAULT_PORT = "127.0.0.1", 9273
_STATES = ("masked", "unmasked", "incorrect")
#: Edges of the histograms in seconds: from a stage of a millisecond to a frame of 10 s.
_EDGES_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05),
    *(0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0),
)
_FILE_EVERY_S = 10.0
_REQUEST_S = 5.0


def read_place(place: str) -> tuple[str, int]:
    """Read where ``prometheus:PLACE`` listens: host and port.

    Args:
        place: ``HOST:PORT``, ``PORT``, or nothing (127.0.0.1:9273).

    Raises:
        UsageError: it is none of these.
    """
    host, _, port = place.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or _DEFAULT_HOST
    number = port or str(_DEFAULT_PORT)
    if not (number.isascii() and number.isdigit() and len(number) < 6 and int(number) < 65536):
        raise UsageError(
            f"prometheus:{place}: neither a port nor a file",
            hint="write prometheus:127.0.0.1:9273, or prometheus:PATH.prom",
            code="sink.uri",
        )
    return host, int(number)


class _Metrics:
    """The counters, in a registry of their own.

    Args:
        system: the board whose temperature is told.
    """

    def __init__(self, system: System) -> None:
        try:
            import prometheus_client as prometheus
        except ImportError as error:
            raise UnavailableError(
                "prometheus: the package prometheus-client is not installed",
                hint="mend it with: pip install 'unveil-edge[metrics]'",
                code="sink.library",
            ) from error
        self.registry: CollectorRegistry = prometheus.CollectorRegistry()
        own: dict[str, Any] = {"namespace": "unveil_edge", "registry": self.registry}
        counter, gauge = prometheus.Counter, prometheus.Gauge
        self._frames = counter("frames", "Frames with a result", **own)
        faces = counter("faces", "Faces in them, by mask state", ["mask"], **own)
        self._faces = {state: faces.labels(state) for state in (*_STATES, "other")}
        self._faces_now = gauge("faces_now", "Faces in the last frame", **own)
        self._dropped = counter("dropped_frames", "Frames that nobody looked at", **own)
        histogram = {**own, "buckets": _EDGES_S}
        self._latency = prometheus.Histogram(
            "latency_seconds", "From a picture in memory to its result", **histogram
        )
        self._age = prometheus.Histogram(
            "age_seconds", "From a picture's capture to its result", **histogram
        )
        stage = prometheus.Histogram("stage_seconds", "One stage, a frame", ["stage"], **histogram)
        self._stages = {name: stage.labels(name) for name in (*STAGES, *EXTRAS)}
        self._reduced = gauge("reduced", "Things left out at the moment to spare the board", **own)
        self._last = gauge("last_result_timestamp_seconds", "Unix time of the last result", **own)
        self._camera = gauge("camera_up", "1 while the camera gives frames", **own)
        self._lost = counter("camera_lost", "How often the camera was lost", **own)
        self._reopened = counter("camera_reopened", "How often it came back", **own)
        self._sinks = counter("sink_failures", "How often a sink could not deliver", **own)
        self._skipped = counter("skipped_inputs", "Pictures and frames stepped over", **own)
        gauge("build_info", "Always 1", ["version"], **own).labels(__version__).set(1)
        thermometer = Thermometer(system)
        if thermometer.read():
            hottest = gauge("temperature_celsius", "The hottest zone of the board", **own)
            hottest.set_function(lambda: max((z.celsius for z in thermometer.read()), default=0))
        prometheus.ProcessCollector(registry=self.registry)

    def count(self, result: FrameResult) -> None:
        """Take one result."""
        self._frames.inc()
        self._last.set(time.time())
        self._camera.set(1)
        states = Tally(face.mask.state for face in result.faces)
        for state, number in states.items():
            self._faces[state if state in _STATES else "other"].inc(number)
        self._faces_now.set(len(result.faces))
        self._latency.observe(result.total_ns / 1e9)
        for name, spent in result.stage_ns.items():
            if spent.runs and name in self._stages:
                self._stages[name].observe(spent.total_ns / 1e9)
        if result.live is not None:
            self._age.observe(result.live.age_ns / 1e9)
            self._dropped.inc(result.live.dropped)
            self._reduced.set(len(result.live.reduced))

    def tell(self, event: Event) -> None:
        """Take one change of state."""
        if event.kind == "camera.lost":
            self._camera.set(0)
            self._lost.inc()
        elif event.kind == "camera.back":
            self._camera.set(1)
            self._reopened.inc()
        elif event.kind == "sink" and event.code:
            self._sinks.inc()
        elif event.kind == "input":
            self._skipped.inc()


class MetricsPortSink(Sink):
    """Counters that Prometheus fetches from ``http://HOST:PORT/metrics``.

    One thread answers one request at a time: whoever holds a connection open costs other
    scrapers their time, and this process nothing.

    Args:
        host: address to listen on; others than 127.0.0.1 and ::1 show the counters to the network.
        port: 0 takes a free one, see ``port``.
        system: the board whose temperature is told.

    Raises:
        UnavailableError: prometheus-client is not installed.
        OutputError: the port is taken.
    """

    def __init__(self, host: str, port: int, *, system: System | None = None) -> None:
        self._metrics = _Metrics(system or System())
        from prometheus_client import make_wsgi_app

        try:
            self._server = _Server(host, port)
        except (OSError, UnicodeError) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
            raise OutputError(
                f"prometheus:{host}:{port}: cannot listen there: {reason.lower()}",
                hint="name another port, or an address of this machine",
                code="sink.bind",
            ) from error
        self._server.set_app(make_wsgi_app(self._metrics.registry))
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="prometheus", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Count one result."""
        self._metrics.count(result)

    def tell(self, event: Event) -> None:
        """Count one change of state."""
        self._metrics.tell(event)

    def close(self) -> None:
        """Give the port back, at the latest when a request in hand is over time."""
        if not self._closing:
            self._closing = True
            self._thread.join(_REQUEST_S)
            self._server.server_close()

    def _serve(self) -> None:
        while not self._closing:
            self._server.handle_request()


class MetricsFileSink(Sink):
    """Counters in a file, written whole every 10 s while there are results, and at every event.

    Args:
        path: ends in ``.prom``; node_exporter reads no others.
        system: the board whose temperature is told.

    Raises:
        UnavailableError: prometheus-client is not installed.
        OutputError: the file cannot be written.
    """

    def __init__(self, path: str, *, system: System | None = None) -> None:
        self._path = os.path.realpath(path)
        self._metrics = _Metrics(system or System())
        self._closed = False
        self._store()

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Count one result.

        Raises:
            OutputError: the file cannot be written.
        """
        self._metrics.count(result)
        if time.monotonic() - self._stored_s >= _FILE_EVERY_S:
            self._store()

    def tell(self, event: Event) -> None:
        """Count one change of state, and show it at once: a lost camera gives no results."""
        self._metrics.tell(event)
        with contextlib.suppress(OutputError):  # the next result tells it
            self._store()

    def close(self) -> None:
        """Write the last figures.

        Raises:
            OutputError: the file cannot be written.
        """
        if not self._closed:
            self._closed = True
            self._store()

    def _store(self) -> None:
        from prometheus_client import write_to_textfile

        self._stored_s = time.monotonic()
        try:
            # Renamed, not synced: after a power cut there are new figures anyway.
            write_to_textfile(self._path, self._metrics.registry)
        except OSError as error:
            raise not_written(self._path, error) from error


class _Handler(WSGIRequestHandler):
    #: Of one read or write.
    timeout = _REQUEST_S

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a scrape is no change of state."""


class _Server(WSGIServer):
    """One thread, IPv4 or IPv6, and no look-up of the address's name in the network."""

    #: How long ``handle_request`` waits for one.
    timeout = 0.2

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without ``HTTPServer``'s question for the full name of the host."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: whoever asked has gone."""
