"""The service: newest frame, result, sinks, and again; it tells systemd, the ladder and the log."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edge.board.system import System
from edge.errors import EdgeError, UnavailableError
from edge.events import Event
from edge.live import Seen
from edge.owned import Owned
from edge.service.building import build_engines
from edge.service.config import Config
from edge.service.ladder import Ladder, Level
from edge.service.notify import Notifier
from edge.service.orders import Orders
from edge.service.readings import Gauges
from edge.service.status import Pace, Report
from edge.service.works import Works
from edge.sinks import Sink

__all__ = ["Service"]

#: How long the loop waits for a frame before it looks at everything else: what SIGTERM waits.
_WAIT_S = 0.2
#: A frame in hand for longer than this counts as hung where systemd has set no watchdog; with one,
#: half of its time.
_HUNG_S = 10.0
#: While a camera is awaited, the time to start is extended to so long from now, once a second.
_EXTEND_S, _EXTEND_EVERY_S = 10.0, 1.0
#: Events that wait for the loop, at most: a loop that is stuck must not fill the memory.
_MOST_EVENTS = 256


class Service(Owned):
    """Runs a configuration on a live source, for as long as the source and its user want.

    Iterating gives every frame after its sinks have it. A sink that fails is reported and tried
    again, a camera that is lost is awaited; only an engine that fails, or a mistake that no wait
    mends, ends it.

    Args:
        config: what to do.
        reread: gives the configuration anew when that is ordered; without it, it stays, and only
            gallery and bundle are opened again.
        orders: what somebody outside may ask for.
        notifier: systemd's ear.
        log: takes one line for each change of state.
        patient: await a camera that is not there at the start, too.
        sinks: of the program, such as ``edge.sinks.callback.CallbackSink``, beside those that the
            configuration names; closed with the service.

    Attributes:
        orders: as given; after ``orders.stop = True`` the iteration ends with the frame in hand.

    Raises:
        UsageError: the source has an end; ``edge.pipeline.Pipeline.run`` serves those.
        EdgeError: something that the configuration names cannot be opened.

    >>> from edge.service import Config, Service
    >>> with Service(Config(source="synthetic://?faces=1", sinks=())) as service:
    ...     for seen in service:
    ...         print(len(seen.result.faces))
    ...         service.orders.stop = True
    1
    """

    def __init__(
        self,
        config: Config,
        *,
        reread: Callable[[], Config] | None = None,
        orders: Orders | None = None,
        notifier: Notifier | None = None,
        log: Callable[[str], None] = lambda line: None,
        patient: bool = True,
        sinks: Sequence[Sink] = (),
    ) -> None:
        self.orders = orders or Orders()
        self._reread = reread or (lambda: self.config)
        self._notifier = notifier or Notifier(None)
        self._log = log
        self._patient = patient
        self._events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self._ready = False
        self._settling = True
        self._extended_s = self._looked_s = float("-inf")
        self._lost: Event | None = None
        self._pace = Pace()
        self._ladder = Ladder(config.ladder)
        self._notifier.status("starting")
        self._works = Works(
            config, listener=self._events.append, build=self._build_engines, sinks=sinks
        )
        self._gauges = Gauges(System(Path(config.board.root)))
        self._counted = (0, 0)
        self._seen: Seen | None = None
        self._frame_s = time.monotonic()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._works.config

    @property
    def level(self) -> Level:
        """What is left out at the moment."""
        return self._ladder.level

    def __iter__(self) -> Iterator[Seen]:
        """Give every frame that was looked at, until the source ends or somebody says stop."""
        while not (self.orders.stop or self._works.live.ended):
            if self.orders.reload:
                self._reload()
            seen = self._works.live.next(_WAIT_S)
            if seen is not None:
                self._deliver(seen)
            self._look_after(time.monotonic(), idle=seen is None)
            self._pass_on_events()
            if seen is not None:
                yield seen
            elif self._lost is not None and not self._awaits(self._lost):
                raise UnavailableError(self._lost.text, code=self._lost.code)

    def close(self) -> None:
        """Close camera, networks, gallery and sinks; a second call does nothing.

        Raises:
            EdgeError: a sink cannot put in its place what it promised.
        """
        self._pass_on_events()
        self._notifier.stopping()
        self._gauges.close()
        self._works.close()

    def _deliver(self, seen: Seen) -> None:
        for outlet in self._works.outlets:
            outlet.write(seen.frame, seen.result)
        self._frame_s = time.monotonic()
        if self._settling:
            # What waited while the networks were opened says nothing of the board.
            self._settling, self._looked_s = False, self._frame_s
            self._missed_share()
        self._seen = seen
        self._pace.step(self._frame_s)

    def _look_after(self, now_s: float, *, idle: bool) -> None:
        """Do what is due between two frames."""
        self._step_ladder(now_s)
        if idle and not self._may_idle(now_s):
            return  # something hangs: whoever watches must not be told otherwise
        self._notifier.alive()
        if self._notifier.hears_status:
            self._notifier.status(str(self._report(now_s)))
        if self._seen is None:
            self._await_start(now_s)
        elif not self._ready:
            self._ready = self._notifier.ready()

    def _may_idle(self, now_s: float) -> bool:
        """Tell whether there is a good reason that no frame came."""
        bound_s = (self._notifier.watchdog_s or 2 * _HUNG_S) / 2
        if self._works.live.busy_ns > bound_s * 1e9:
            return False
        capture = self._works.capture
        if capture.state in ("opening", "lost"):
            return True
        # By then the capture has called a silent camera lost: see ``CaptureSettings``.
        silence_s = max(self.config.capture.stall_s, 3 / capture.fps)
        return now_s - self._frame_s <= bound_s + silence_s

    def _await_start(self, now_s: float) -> None:
        """Keep systemd patient while the first frame is awaited."""
        if now_s - self._extended_s >= _EXTEND_EVERY_S:
            self._extended_s = now_s
            self._notifier.extend(_EXTEND_S)

    def _step_ladder(self, now_s: float) -> None:
        """Look at the board as often as the settings say, and act on it."""
        if self._settling or now_s - self._looked_s < self.config.ladder.every_s:
            return
        self._looked_s = now_s
        before = self._ladder.level
        readings = self._gauges.read(self._missed_share(), now_s)
        if self._ladder.step(readings, now_s) is not before:
            self._works.live.reduce(self._ladder.reduction)
            self._events.append(Event("ladder", self._ladder.text))

    def _missed_share(self) -> float:
        """Return the share of results past the budget since the last look."""
        live = self._works.live
        missed, results = live.missed - self._counted[0], live.results - self._counted[1]
        self._counted = (live.missed, live.results)
        return missed / results if results else 0.0

    def _pass_on_events(self) -> None:
        """Tell log and sinks what changed."""
        while self._events:
            event = self._events.popleft()
            if event.kind in ("camera.lost", "camera.back"):
                self._lost = event if event.kind == "camera.lost" else None
            if self._awaits(event):
                self._log(event.text)
            for outlet in self._works.outlets:
                outlet.tell(event)

    def _awaits(self, event: Event) -> bool:
        """Tell whether the service goes on after an event; else it is raised, not logged."""
        return self._patient or self._seen is not None or event.kind != "camera.lost"

    def _reload(self) -> None:
        """Read the configuration again and take it over; one that cannot be changes nothing."""
        self.orders.reload, self._settling = False, True
        self._pass_on_events()
        self._notifier.reloading()
        before = self.config
        try:
            self._works.replace(self._reread())
        except EdgeError as error:
            for line in error.lines():
                self._log(line)
            self._events.append(
                Event("config", "the new configuration cannot be; the old one stays", error.code)
            )
        else:
            self._adopt(before)
            self._events.append(Event("config", "the configuration was read again"))
        if self._ready:
            self._notifier.ready()

    def _adopt(self, before: Config) -> None:
        """Let what this object keeps follow a new configuration."""
        config, self._counted = self.config, (0, 0)
        if config.ladder != before.ladder:
            self._ladder = Ladder(config.ladder)
        if config.board != before.board:
            self._gauges.close()
            self._gauges = Gauges(System(Path(config.board.root)))
        if (config.source, config.capture) != (before.source, before.capture):
            self._lost = None
        self._works.live.reduce(self._ladder.reduction)
        self._frame_s = time.monotonic()

    def _build_engines(self, config: Config, precision: str) -> None:
        """Have what is missing built; whoever watches hears that this is meant."""

        def wait() -> bool:
            self._notifier.alive()
            self._notifier.extend(_EXTEND_S)
            return not self.orders.stop

        self._notifier.status("building the engines of this board")
        build_engines(config, precision, log=self._log, wait=wait)

    def _report(self, now_s: float) -> Report:
        seen, lost = self._seen, self._lost
        live = None if seen is None else seen.result.live
        return Report(
            awaited=seen is None,
            faces=0 if seen is None else len(seen.result.faces),
            fps=self._pace.per_second(now_s),
            age_ms=0.0 if live is None else live.age_ns / 1e6,
            service=self._ladder.text,
            lost_s=None if lost is None else (time.monotonic_ns() - lost.at_ns) / 1e9,
            trouble="" if lost is None else lost.text,
            failing=tuple(outlet.uri for outlet in self._works.outlets if outlet.failing),
        )
