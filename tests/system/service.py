"""The real service as a process, with this one in systemd's place: what it says, and when."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.owned import Owned
from tests.system.claims import ROOT

__all__ = ["ServiceProcess", "family"]


class ServiceProcess(Owned):
    """``edge-run --config`` in a process of its own; every line and datagram with its time.

    Args:
        config: text of the configuration; written into the folder.
        folder: of the configuration and of the notification socket.
        watchdog_s: as systemd would set it.

    Attributes:
        told: ``(monotonic seconds, text)`` of every datagram.
        lines: the same of every line on standard error.
    """

    def __init__(self, config: str, folder: Path, *, watchdog_s: float = 20.0) -> None:
        self.told: list[tuple[float, str]] = []
        self.lines: list[tuple[float, str]] = []
        self._news = threading.Condition()
        file, address = folder / "config.toml", folder / "notify"
        file.write_text(config, encoding="utf-8")
        address.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(address))
        environment = {**os.environ, "NOTIFY_SOCKET": str(address), "OMP_NUM_THREADS": "1",
                       "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge.cli.run", "--config", str(file)],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._threads = [threading.Thread(target=one) for one in (self._listen, self._read)]
        for thread in self._threads:
            thread.start()

    def wait(self, what: Callable[[], object], seconds: float) -> bool:
        """Wait until something holds; it is asked again at every word of the service.

        Returns:
            Whether it came to hold in time, and before the process ended.
        """
        end = time.monotonic() + seconds
        with self._news:
            while not what():
                left = end - time.monotonic()
                if left <= 0 or self.process.poll() is not None:
                    return bool(what())
                self._news.wait(min(left, 0.2))
        return True

    def wait_ready(self, seconds: float = 120.0) -> bool:
        """Wait for ``READY=1``."""
        return self.wait(lambda: self.count("READY=1"), seconds)

    def count(self, word: str, since: float = 0.0) -> int:
        """Return how many datagrams have this line."""
        return sum(word in text.split("\n") for at, text in self.told if at >= since)

    def said(self, word: str, since: float = 0.0) -> list[str]:
        """Return the lines on standard error that hold a word."""
        return [line for at, line in self.lines if at >= since and word in line]

    def status(self) -> str:
        """Return the last ``STATUS=``."""
        found = [line[7:] for _, text in self.told for line in text.split("\n")
                 if line.startswith("STATUS=")]  # fmt: skip
        return found[-1] if found else ""

    def stop(self, seconds: float = 20.0) -> int:
        """Send SIGTERM and return the exit status; -9 when it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def close(self) -> None:
        """End the process and its listeners."""
        self.stop()
        self._socket.shutdown(socket.SHUT_RD)
        for thread in self._threads:
            thread.join()
        self._socket.close()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _listen(self) -> None:
        while content := self._socket.recv(4096):
            with self._news:
                self.told.append((time.monotonic(), content.decode()))
                self._news.notify_all()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.lines.append((time.monotonic(), line.rstrip("\n")))
                self._news.notify_all()


def family(pid: int) -> Sequence[int]:
    """Return a process and its descendants that still live."""
    found = [pid]
    for parent in found:
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
            found += [int(c) for t in tasks for c in (t / "children").read_text().split()]
        except OSError:
            continue  # it ended meanwhile
    return found
