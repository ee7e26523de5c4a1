"""An RTSP camera and an MQTT broker of one's own, to be killed, hung and brought back."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

import cv2

from edge.errors import UnavailableError
from edge.owned import Owned
from edge.sources.synthetic import SyntheticSource
from tests.system.lab.host import need

__all__ = ["Broker", "RtspCamera", "free_port"]

_SYSTEM_PYTHON = "/usr/bin/python3"
_RTSP_PACKAGES = (
    "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly"
)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Server(Owned, ABC):
    """A process behind a port that can die and return."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return what is run."""

    def start(self) -> None:
        """Start it and wait until its port answers.

        Raises:
            UnavailableError: it ended, or does not answer within 20 s.
        """
        self._process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + 20
        while self._process.poll() is None and time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise UnavailableError(f"{self.command()[0]} does not serve port {self.port}")

    def hang(self) -> None:
        """Stop it without its port closing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def die(self) -> None:
        """Kill it as a power cut would."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def close(self) -> None:
        """End it; a second call does nothing."""
        if self._process is not None and self._process.poll() is None:
            self.die()

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)


class RtspCamera(_Server):
    """Drawn people, one of them with a mask, as H.264 over RTSP.

    Args:
        folder: for its pictures; made.

    Raises:
        UnavailableError: GStreamer's RTSP server is not installed.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(free_port())
        probe = "import gi; gi.require_version('GstRtspServer', '1.0')"
        if subprocess.run([_SYSTEM_PYTHON, "-c", probe], capture_output=True).returncode:
            raise UnavailableError("no RTSP server here",
                                   hint=f"run: sudo apt-get install {_RTSP_PACKAGES}")  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        source = SyntheticSource("synthetic://?faces=2&masked=1&frames=60")
        for frame in source:
            cv2.imwrite(str(folder / f"{frame.index:05d}.jpg"), frame.image)
        self._pattern = str(folder / "%05d.jpg")

    @property
    def uri(self) -> str:
        """What a source names it."""
        return f"rtsp://127.0.0.1:{self.port}/cam"

    def command(self) -> list[str]:
        """Return the program beside this file."""
        program = Path(__file__).with_name("rtsp_camera.py")
        return [_SYSTEM_PYTHON, str(program), str(self.port), self._pattern]


class Broker(_Server):
    """A mosquitto that remembers, over its death, what it had at the last ``save``.

    Args:
        folder: for its configuration and its memory.

    Raises:
        UnavailableError: mosquitto is not installed.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(free_port())
        need({"mosquitto": "mosquitto"})
        memory = folder / "mosquitto"
        memory.mkdir()
        self._memory = memory / "mosquitto.db"
        self._config = folder / "mosquitto.conf"
        # Started by root it would become a user who cannot read the folder.
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n"
            f"persistence true\npersistence_location {memory}/\nmax_queued_messages 0\n"
        )

    def command(self) -> list[str]:
        """Return mosquitto with its configuration."""
        return ["/usr/sbin/mosquitto", "-c", str(self._config)]

    def save(self) -> None:
        """Let it write down subscriptions and what waits for them."""
        self._signal(signal.SIGUSR1)
        end = time.monotonic() + 10
        while not self._memory.exists() and time.monotonic() < end:
            time.sleep(0.02)
