"""Brokers for tests: a real mosquitto on a free port, and one that does as it is told."""

from __future__ import annotations

import queue
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

__all__ = ["Mosquitto", "ScriptedBroker", "free_port"]

_WAIT_S = 10.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A broker that can be killed and started again on the same port.

    Args:
        folder: for its configuration.
        lines: of the configuration, behind the listener.
    """

    def __init__(self, folder: Path, *lines: str) -> None:
        self._program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if self._program is None:
            pytest.skip("needs a broker: sudo apt-get install mosquitto")
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        text = "\n".join([f"listener {self.port} 127.0.0.1", *(lines or ["allow_anonymous true"])])
        self._config.write_text(text + "\n")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and return when it listens."""
        assert self._program is not None
        self._process = subprocess.Popen(
            [self._program, "-v", "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        stream = self._process.stderr
        assert stream is not None
        said = []
        while line := stream.readline():
            said.append(line)
            if " running" in line:
                self._drain = threading.Thread(target=stream.read, daemon=True)
                self._drain.start()  # whatever else it says must not fill the pipe
                return
        raise AssertionError(f"mosquitto ended: {said}")

    def kill(self) -> None:
        """End it without a word to its clients."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            self._drain.join()
            process.communicate()

    def __enter__(self) -> Mosquitto:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()


class ScriptedBroker:
    """One connection at a time; confirms records only when told to.

    Args:
        answer: sent for CONNECT; the usual one accepts.

    Attributes:
        taken: topic and payload of the records that were published, with the identifier to
            confirm by; the identifier is 0 at QoS 0. Retained messages are confirmed at once.
    """

    def __init__(self, *, answer: bytes = b"\x20\x02\x00\x00") -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.taken: queue.Queue[tuple[str, bytes, int]] = queue.Queue()
        self._answer = answer
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def take(self, topic: str) -> tuple[bytes, int]:
        """Wait for the next record, which is on this topic."""
        name, payload, number = self.taken.get(timeout=_WAIT_S)
        assert name == topic
        return payload, number

    def confirm(self, number: int) -> None:
        """Send a PUBACK."""
        assert self._client is not None
        if number:
            self._client.sendall(b"\x40\x02" + number.to_bytes(2, "big"))

    def cut(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> ScriptedBroker:
        return self

    def __exit__(self, *error: object) -> None:
        # A thread that waits in accept() is not woken by a close.
        self._closing = True
        with socket.socket() as last:
            last.connect(("127.0.0.1", self.port))
            self._listener.close()
            if self._client is not None:
                try:
                    self.cut()
                except OSError:
                    pass  # it is gone already
            last.close()
            self._thread.join(_WAIT_S)

    _closing = False

    def _serve(self) -> None:
        while not self._closing:
            try:
                self._client, _ = self._listener.accept()
            except OSError:
                return
            with self._client, self._client.makefile("rb") as stream:
                try:
                    while self._packet(stream):
                        pass
                except (OSError, IndexError):
                    pass

    def _packet(self, stream: object) -> bool:
        read = stream.read  # type: ignore[attr-defined]
        head = read(1)
        if not head:
            return False
        length, shift = 0, 0
        while True:
            byte = read(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        body = read(length)
        assert self._client is not None
        if head[0] >> 4 == 1:
            self._client.sendall(self._answer)
        elif head[0] >> 4 == 3:
            size = int.from_bytes(body[:2], "big")
            topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
            number = 0
            if head[0] & 6:
                number, rest = int.from_bytes(rest[:2], "big"), rest[2:]
            if head[0] & 1:
                self.confirm(number)
            else:
                self.taken.put((topic, rest, number))
        elif head[0] >> 4 == 12:
            self._client.sendall(b"\xd0\x00")
        return True
