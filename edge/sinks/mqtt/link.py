"""The connection to the broker: one thread that holds it, sends and waits for confirmations.

All of paho runs in that thread, through its interface for foreign event loops, so that none of its
locks is ever taken by the thread that has the frames. Every connection gets a client of its own:
what is sent again is decided by what waits, not by two queues.
"""

from __future__ import annotations

import contextlib
import os
import select
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edge.errors import UnavailableError
from edge.sinks.mqtt.address import Address, client_of
from edge.sinks.mqtt.fault import Fault, fault_of
from edge.sinks.mqtt.tls import tls_context
from edge.sinks.mqtt.waiting import Waiting

if TYPE_CHECKING:
    from paho.mqtt.client import Client

__all__ = ["Link"]

_KEEPALIVE_S = 30
_CONNECT_S = 5.0
#: Messages on their way at once; brokers take at least 10, mosquitto 20.
_WINDOW = 10
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
#: A connection that holds so long is a good one.
_SETTLED_S = 1.0
_SYNC_EVERY_S = 1.0
#: How often a quiet connection is looked after.
_TICK_MS = 500


class Link:
    """Sends what waits, and the newest of every retained message, as long as there is a broker.

    Args:
        address: of the broker.
        waiting: records; confirmed when the broker has them.
        availability: topic that says ``online`` while this connection holds.
        changed: called from the link's thread with every new fault, and with None when the broker
            is back; must not wait.

    Attributes:
        fault: why there is no connection; None while there is one, or was none yet.

    Raises:
        UnavailableError: paho-mqtt is not installed.
        MissingInput: the certificates cannot be read.
    """

    def __init__(
        self,
        address: Address,
        waiting: Waiting,
        *,
        availability: str,
        changed: Callable[[Fault | None], None],
    ) -> None:
        self._address, self._waiting = address, waiting
        self._availability, self._changed = availability, changed
        self._tls = tls_context(address.options.ca_file) if address.options.tls else None
        self._make_client()  # what is missing is said at once
        self.fault: Fault | None = None
        self._newest: dict[str, bytes] = {availability: b"online"}
        self._unsent: dict[str, None] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._until_s = 0.0
        self._sent = 0
        #: Message identifiers on their way, in order; 0 for a retained message.
        self._pending: dict[int, int] = {}
        self._connected_s: float | None = None
        self._refusal = ""
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def retain(self, topic: str, payload: bytes) -> None:
        """Have a message sent that the broker keeps; a newer one of the topic takes its place."""
        with self._lock:
            self._newest[topic] = payload
            self._unsent[topic] = None
        self.wake()

    def wake(self) -> None:
        """Tell the thread that something waits."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(self._wake, 1)

    def close(self, *, patience_s: float) -> None:
        """Send what can be sent in so long, say ``offline`` and part; a second call does nothing.

        A thread that is caught in the system's look-up of a name is left behind: it holds
        nothing, and ends with the process.
        """
        if self._closing.is_set():
            return
        self._until_s = time.monotonic() + patience_s
        self._closing.set()
        self.retain(self._availability, b"offline")
        self._thread.join(patience_s + 1)
        if not self._thread.is_alive():
            os.close(self._wake)

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            fault = self._serve()
            if self._connected_s is not None and time.monotonic() - self._connected_s > _SETTLED_S:
                pause_s = _FIRST_PAUSE_S
            if self._closing.is_set():
                self.fault = self.fault or fault
                return
            if fault is not None and (self.fault is None or self.fault.code != fault.code):
                self.fault = fault
                self._changed(fault)
            if self._is_closed_within(pause_s):
                return
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _is_closed_within(self, pause_s: float) -> bool:
        """Wait, and keep what comes meanwhile safe from a power cut."""
        until_s = time.monotonic() + pause_s
        while (left_s := until_s - time.monotonic()) > 0:
            self._sync()
            if self._closing.wait(min(left_s, _SYNC_EVERY_S)):
                return True
        return False

    def _serve(self) -> Fault | None:
        """Hold one connection until it ends; return why it did."""
        client = self._make_client()
        self._pending.clear()
        self._sent = 0
        self._connected_s, self._refusal = None, ""
        with self._lock:
            self._unsent = dict.fromkeys(self._newest)
        try:
            client.connect(self._address.host, self._address.port, keepalive=_KEEPALIVE_S)
            if self._hold(client):
                return None
        except Exception as error:  # what paho raises for bytes that are no MQTT is not described
            return fault_of(error)
        finally:
            if (sock := client.socket()) is not None:
                sock.close()
        if self._refusal:
            return Fault("mqtt.refused", f"it refuses this client: {self._refusal.lower()}")
        return Fault("mqtt.away", "the connection ended")

    def _hold(self, client: Client) -> bool:
        """Serve a connection; return whether it ended because this side has nothing more to say."""
        begun_s = synced_s = time.monotonic()
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        watched = -1
        while True:
            now_s = time.monotonic()
            if self._connected_s is None:
                if now_s - begun_s > _CONNECT_S:
                    raise TimeoutError("no answer")
            else:
                self._note_return(now_s)
                self._send(client)
            if self._closing.is_set() and self._is_over(now_s):
                client.disconnect()
                client.loop_write()
                return True
            if (sock := client.socket()) is None:
                return False
            if watched != sock.fileno():
                watched = sock.fileno()
                poll.register(watched)
            poll.modify(watched, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
            # Decrypted bytes that nobody asked for yet wake no poll.
            buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
            ready = dict(poll.poll(0 if buffered else _TICK_MS))
            if ready.pop(self._wake, 0):
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
            events = ready.get(watched, 0)
            if buffered or events & ~select.POLLOUT:
                client.loop_read()
            if events & select.POLLOUT:
                client.loop_write()
            client.loop_misc()
            if now_s - synced_s > _SYNC_EVERY_S and len(self._waiting):
                synced_s = now_s
                self._sync()

    def _send(self, client: Client) -> None:
        """Hand over what waits: retained messages first, then records in their order."""
        qos = self._address.options.qos
        while len(self._pending) < _WINDOW and not client.want_write():
            with self._lock:
                topic = next(iter(self._unsent), None)
                payload = self._newest[topic] if topic is not None else b""
                if topic is not None:
                    del self._unsent[topic]
            number = 0
            if topic is None:
                record = self._waiting.after(self._sent)
                if record is None:
                    return
                number, topic, payload = record.number, record.topic, record.payload
                topic = f"{self._address.topic}/{topic}"
            message = client.publish(topic, payload, qos=qos if number else 1, retain=not number)
            if number:
                self._sent = number
            if number and qos == 0:
                self._waiting.confirm(number)
            else:
                self._pending[message.mid] = number

    def _sync(self) -> None:
        with contextlib.suppress(OSError):  # the next append meets the same disk, and says so
            self._waiting.sync()

    def _note_return(self, now_s: float) -> None:
        settled = self._connected_s is not None and now_s - self._connected_s > _SETTLED_S
        if settled and self.fault is not None:
            self.fault = None
            self._changed(None)

    def _is_over(self, now_s: float) -> bool:
        sent = not self._pending and not self._unsent and self._waiting.after(self._sent) is None
        return now_s > self._until_s or (self._connected_s is not None and sent)

    def _make_client(self) -> Client:
        try:
            from paho.mqtt.client import Client, MQTTv311
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise UnavailableError(
                "mqtt: the package paho-mqtt, version 2 or later, is not installed",
                hint="mend it with: pip install 'unveil-edge[mqtt]'",
                code="sink.library",
            ) from error
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=client_of(self._address), protocol=MQTTv311
        )
        client.connect_timeout = _CONNECT_S
        if self._address.user:
            client.username_pw_set(self._address.user, self._address.password or None)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.will_set(self._availability, b"offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        return client

    def _on_connect(self, client: Client, data: Any, flags: Any, reason: Any, more: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
        else:
            self._connected_s = time.monotonic()

    def _on_publish(self, client: Client, data: Any, mid: int, reason: Any, more: Any) -> None:
        number = self._pending.pop(mid, 0)
        if number:
            unconfirmed = [n for n in self._pending.values() if n]
            self._waiting.confirm(min(unconfirmed, default=self._sent + 1) - 1)
