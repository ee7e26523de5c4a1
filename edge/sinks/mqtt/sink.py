"""Results as messages: what is said when, and what waits for the broker."""

from __future__ import annotations

import contextlib
import time

from edge.errors import OutputError
from edge.events import Event, Listener
from edge.frames import Frame
from edge.results import FrameResult
from edge.sinks.base import Sink, not_written
from edge.sinks.mqtt.address import Address, client_of
from edge.sinks.mqtt.discovery import discovery_messages
from edge.sinks.mqtt.fault import Fault
from edge.sinks.mqtt.link import Link
from edge.sinks.mqtt.payloads import Seen, State, event_payload, faces_payload, without_names
from edge.sinks.mqtt.spool import Spool
from edge.sinks.mqtt.waiting import MemoryWaiting, Waiting

__all__ = ["MqttSink"]

#: The state is told again after so long though nothing but its figures changed.
_STATE_EVERY_S = 30.0
_PATIENCE_S = 3.0


class MqttSink(Sink):
    """Messages to a broker; ``write`` never waits for the network.

    Of a source with an end every picture with faces is told, of a live one every change of who is
    seen with what, and each ``every_s`` as long as somebody is.

    Args:
        address: of ``mqtt://[user@]host[:port]/topic?options``, by ``read_address``.
        live: whether the source has no end.
        listener: hears when the broker is lost and when it is back; called from another thread.

    Raises:
        MissingInput: the certificates cannot be read.
        UnavailableError: paho-mqtt is not installed.
        OutputError: the spool cannot be opened.
    """

    def __init__(
        self, address: Address, *, live: bool = False, listener: Listener | None = None
    ) -> None:
        self._address = address
        self._live, self._listener = live, listener
        self._options = address.options
        self._state = State(names=() if self._options.names else None)
        self._seen = Seen()
        self._faces_due_s = self._state_due_s = 0.0
        self._state_is_new = True
        self._rate = _Rate()
        self._age_ms: float | None = None
        self._closed = False
        self._waiting = self._open_waiting()
        try:
            self._link = Link(
                address,
                self._waiting,
                availability=f"{address.topic}/availability",
                changed=self._tell_of_broker,
            )
        except BaseException:
            self._waiting.close()
            raise
        self._describe()
        self._link.start()

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Have it sent, if there is something to say.

        Raises:
            OutputError: the spool's disk is full.
        """
        if not self._options.names:
            result = without_names(result)
        now_s = time.monotonic()
        self._rate.step(now_s)
        self._age_ms = result.live.age_ns / 1e6 if result.live else None
        seen = Seen.of(result)
        if self._is_worth_telling(seen, now_s):
            self._append("faces", faces_payload(result))
            self._faces_due_s = now_s + self._options.every_s
        self._seen = seen
        self._stand(self._state.after(result, names=self._options.names), now_s)

    def tell(self, event: Event) -> None:
        """Have a change of state sent."""
        try:
            self._append("events", event_payload(event))
        except OutputError:
            return  # the next result says so
        if event.kind == "camera.lost":
            self._stand(self._state.without_camera("lost"), time.monotonic(), at_once=True)

    def close(self) -> None:
        """Send what can be sent in 3 s, and part.

        Raises:
            OutputError: results of a source with an end did not reach the broker, and wait in no
                spool.
        """
        if self._closed:
            return
        self._closed = True
        # The broker would keep for ever who was seen last.
        self._stand(self._state.without_camera("stopped"), time.monotonic(), at_once=True)
        self._link.close(patience_s=_PATIENCE_S)
        left = len(self._waiting) + self._waiting.dropped
        with contextlib.suppress(OSError):
            self._waiting.sync()
        self._waiting.close()
        if left and not self._live and not self._options.spool:
            fault = self._link.fault
            raise OutputError(
                f"{self._address.shown}: {left} results did not reach the broker"
                + (f": {fault.reason}" if fault else ""),
                hint="start the broker, or keep what waits with ?spool=FOLDER",
                code=fault.code if fault else "mqtt.slow",
            )

    def discard(self) -> None:
        """Part; what was sent stays sent."""
        try:
            self.close()
        except OutputError:
            pass  # the error that led here is the one to tell

    def _open_waiting(self) -> Waiting:
        folder = self._options.spool
        if not folder:
            return MemoryWaiting()
        try:
            spool = Spool(folder, limit_bytes=int(self._options.spool_mib * (1 << 20)))
        except OSError as error:
            raise not_written(folder, error) from error
        if spool.cut:
            text = f"{folder}: a torn record was found; {spool.cut} bytes of it were cut"
            self._hear(Event("sink", text, "spool.torn"))
        return spool

    def _describe(self) -> None:
        topic = self._address.topic
        if self._options.discovery:
            client = client_of(self._address)
            for place, payload in discovery_messages(
                client=client, topic=topic, names=self._options.names
            ):
                self._link.retain(place, payload)

    def _append(self, topic: str, payload: bytes) -> None:
        try:
            self._waiting.append(topic, payload)
        except (OSError, ValueError) as error:
            where = self._options.spool or self._address.shown
            raise not_written(where, error if isinstance(error, OSError) else None) from error
        self._link.wake()

    def _is_worth_telling(self, seen: Seen, now_s: float) -> bool:
        if not self._live:
            return bool(seen.faces)
        if not seen.same_as(self._seen):
            return True
        return bool(seen.faces) and now_s >= self._faces_due_s

    def _stand(self, state: State, now_s: float, *, at_once: bool = False) -> None:
        """Have the state told: a change soon, but no more often than ``every_s``."""
        self._state_is_new = self._state_is_new or state != self._state
        self._state = state
        due_s = self._state_due_s if self._state_is_new else self._state_due_s + _STATE_EVERY_S
        if at_once or now_s >= due_s:
            payload = state.payload(fps=self._rate.fps, age_ms=self._age_ms)
            self._link.retain(f"{self._address.topic}/state", payload)
            self._state_due_s = now_s + self._options.every_s
            self._state_is_new = False

    def _tell_of_broker(self, fault: Fault | None) -> None:
        shown, dropped = self._address.shown, self._waiting.dropped
        if fault is not None:
            where = "in the spool" if self._options.spool else "in memory"
            text = f"{shown}: no broker: {fault.reason}; results wait {where}"
            self._hear(Event("sink", text, fault.code))
        else:
            lost = f"; {dropped} results were dropped since the start" if dropped else ""
            self._hear(Event("sink", f"{shown}: the broker is back{lost}"))

    def _hear(self, event: Event) -> None:
        if self._listener is not None:
            self._listener(event)


class _Rate:
    """Results a second, over the last ten or so.

    Attributes:
        fps: 0 before the second one.
    """

    def __init__(self) -> None:
        self.fps = 0.0
        self._last_s: float | None = None
        self._mean_s = 0.0

    def step(self, now_s: float) -> None:
        """Count one."""
        if self._last_s is not None:
            passed_s = now_s - self._last_s
            self._mean_s += (passed_s - self._mean_s) * (0.1 if self._mean_s else 1.0)
            self.fps = 1 / self._mean_s if self._mean_s > 0 else 0.0
        self._last_s = now_s
