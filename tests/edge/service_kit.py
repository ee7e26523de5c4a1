"""What the tests of the service share: systemd's end of the socket, and a service in a process."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.hostile.process import ROOT

__all__ = ["Manager", "Process"]

_PATIENCE_S = 60.0


class Manager:
    """The manager's end of ``NOTIFY_SOCKET``; ``@name`` is an abstract one."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.messages: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.setblocking(False)

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def heard(self) -> list[str]:
        """Return what has come since the last call."""
        came: list[str] = []
        while True:
            try:
                came.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                self.messages += came
                return came

    def until(self, begins: str, within_s: float = _PATIENCE_S) -> list[str]:
        """Wait for a message that begins so; return all that came up to it, with it."""
        end, came = time.monotonic() + within_s, []
        while True:
            waited = select.select([self._socket], [], [], max(0.0, end - time.monotonic()))
            assert waited[0], f"{begins!r} did not come; heard: {self.messages + came}"
            message = self._socket.recv(4096).decode()
            came.append(message)
            if message.startswith(begins):
                self.messages += came
                return came

    def falls_silent(self, begins: str, silence_s: float, within_s: float = 15.0) -> bool:
        """Tell whether no message that begins so comes for a while any more."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            try:
                self.until(begins, silence_s)
            except AssertionError:
                return True
        return False


class Process:
    """``edge-run`` as systemd starts it, or a script that ends in it."""

    def __init__(
        self, *arguments: object, home: Path, manager: Manager, watchdog_s: float, code: str = ""
    ) -> None:
        start = ["-c", code] if code else ["-m", "edge.cli.run"]
        environment = {
            **os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"),
            "OMP_NUM_THREADS": "1", "NOTIFY_SOCKET": manager.address,
            "WATCHDOG_USEC": str(round(watchdog_s * 1e6)),
        }  # fmt: skip
        environment.pop("PYTHONDEVMODE", None)
        self._running = subprocess.Popen(
            [sys.executable, *start, *map(str, arguments)], cwd=ROOT, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            # A shell's background job hands on that it passes over SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        self._running.kill()
        self._running.wait()
        assert self._running.stderr is not None
        self._running.stderr.close()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._running.send_signal(number)

    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self._running.poll() is None

    def said(self) -> str:
        """Return one more line of standard error."""
        assert self._running.stderr is not None
        return self._running.stderr.readline().rstrip("\n")

    def end(self) -> tuple[int, list[str]]:
        """Wait for its end; return status and what it still said."""
        assert self._running.stderr is not None
        rest = self._running.stderr.read().splitlines()
        return self._running.wait(_PATIENCE_S), rest
