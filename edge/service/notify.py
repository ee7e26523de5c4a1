"""Tell systemd how the service is: the datagrams of sd_notify(3), without a library.

A message is lines of ``KEY=value`` sent to the socket that ``NOTIFY_SOCKET`` names. Outside
systemd there is none, and nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

from edge.errors import UsageError
from edge.owned import Owned

__all__ = ["Notifier"]

#: Bytes of an address on Linux, with its zero byte: unix(7).
_MAX_ADDRESS = 107
_MAX_STATUS = 250
#: systemd reads its socket within microseconds; a manager that does not must not stop the frames.
_PATIENCE_S = 1.0
#: A watchdog is fed this many times within its time: sd_watchdog_enabled(3) advises two at least.
_FEEDS = 4
_STATUS_EVERY_S = 1.0


class Notifier(Owned):
    """The service's line to its manager.

    No method raises because the manager does not listen: it will act on what it does not hear.

    Args:
        address: of the manager's socket, a path or ``@`` and an abstract name; None sends nothing.
        watchdog_s: time within which the manager wants to hear of progress; None where it does not.

    Attributes:
        watchdog_s: the same.

    Raises:
        UsageError: the address is neither.
    """

    def __init__(self, address: str | None, *, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self._address = b"" if address is None else _bytes_of(address)
        self._socket: socket.socket | None = None
        if address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.settimeout(_PATIENCE_S)
        self._fed_s = self._said_s = float("-inf")
        self._said = ""

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> Notifier:
        """Read what systemd set, and take it out, so that no child process speaks for this one.

        Args:
            environment: of the process, such as ``os.environ``.

        Raises:
            UsageError: ``NOTIFY_SOCKET`` names no socket, or ``WATCHDOG_USEC`` no time.
        """
        address = environment.pop("NOTIFY_SOCKET", None) or None
        microseconds = environment.pop("WATCHDOG_USEC", None)
        process = environment.pop("WATCHDOG_PID", None)
        if microseconds is None or process not in (None, str(os.getpid())):
            return cls(address)
        if not (microseconds.isascii() and microseconds.isdigit() and 0 < len(microseconds) < 19):
            raise UsageError(
                f"WATCHDOG_USEC={microseconds!r}: no number of microseconds", code="notify.watchdog"
            )
        return cls(address, watchdog_s=int(microseconds) / 1e6 or None)

    def ready(self) -> bool:
        """Say that the service is up; return whether the manager heard it."""
        return self._send("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again; ``ready`` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._send("STOPPING=1")

    def extend(self, seconds: float) -> None:
        """Ask for so much more time to start, from now on."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def alive(self) -> None:
        """Feed the watchdog, if there is one and it is time to."""
        if self.watchdog_s is None:
            return
        now = time.monotonic()
        if now - self._fed_s >= self.watchdog_s / _FEEDS and self._send("WATCHDOG=1"):
            self._fed_s = now

    @property
    def hears_status(self) -> bool:
        """Whether there is a manager, and the last status is a second old."""
        return self._socket is not None and time.monotonic() - self._said_s >= _STATUS_EVERY_S

    def status(self, text: str) -> None:
        """Say in one line how the service is; at most once a second, and only what is new."""
        line = " ".join(text.split())[:_MAX_STATUS]
        if line != self._said and self.hears_status:
            self._said, self._said_s = line, time.monotonic()
            self._send(f"STATUS={line}")

    def close(self) -> None:
        """Give the socket back; nothing is sent any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> bool:
        """Send one message; without a manager, everything counts as heard."""
        if self._socket is None:
            return True
        try:
            self._socket.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError:
            return False
        return True


def _bytes_of(address: str) -> bytes:
    """Return the address as the system call wants it."""
    raw = os.fsencode(address)
    if not raw.startswith((b"/", b"@")) or not 1 < len(raw) <= _MAX_ADDRESS or b"\0" in raw:
        raise UsageError(
            f"NOTIFY_SOCKET={address[:200]!r}: neither an absolute path nor an abstract name",
            hint="systemd sets it; leave it unset elsewhere",
            code="notify.socket",
        )
    return b"\0" + raw[1:] if raw.startswith(b"@") else raw
