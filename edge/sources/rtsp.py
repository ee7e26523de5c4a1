"""A camera in the network, by RTSP (RFC 2326) over TCP.

``rtsp://viewer@camera.local/stream1?password_file=/etc/unveil-edge/camera.password&fps=10``. A
query of the camera's own, such as ``?channel=1&subtype=0``, goes into ``query``:
``rtsp://camera/cam/realmonitor?query=channel=1%26subtype=0``.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

import cv2

from edge.errors import TransientError, UsageError
from edge.secret_file import read_secret
from edge.settings import setting
from edge.sources.camera import CameraSource, Shot, split_uri
from edge.sources.ffmpeg import open_ffmpeg
from edge.sources.options import View

__all__ = ["RtspSource", "RtspView"]

_PLACE = re.compile(
    r"(?:(?P<user>[^@/]*)@)?(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!-~]*)?"
)
_PORT = 554
#: Opening takes 1 to 2 s on a good network, and the stream begins with the next key frame.
_OPEN_MS = 8000
#: Below the three seconds after which the capture process counts as stuck.
_READ_MS = 2500
_PROBE_S = 2.0
#: Options of FFmpeg's RTSP demuxer (ffmpeg-protocols(1)): TCP, because with UDP a lost packet
#: is a grey picture; no sound; as little waiting as it can do; and nothing that a stream names may
#: lead to a file or to another kind of server.
_FFMPEG = {
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    "fflags": "nobuffer",
    "flags": "low_delay",
    "protocol_whitelist": "rtsp,rtp,tcp,udp",
}


@dataclass(frozen=True, slots=True)
class RtspView(View):
    """The keys of an RTSP camera."""

    password_file: str = setting("", "file with the user's password, of mode 0600")
    query: str = setting("", "query of the camera's own, with & written as %26")


class RtspSource(CameraSource):
    """Frames of an RTSP stream; ``captured_ns`` is when a frame was received and decoded.

    Raises:
        TransientError: the server cannot be reached, or gives no stream.
        UsageError: the URI cannot be.
        MissingInput, ConfigError: the password's file cannot be used.
    """

    def __init__(self, uri: str) -> None:
        self._address = _read(uri)
        super().__init__(self._address.shown, self._address.view)
        limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
        self._capture = open_ffmpeg(self._address.full(), _FFMPEG, (*limits, _READ_MS))
        if not self._capture.isOpened():
            self._capture.release()
            raise self._unopened()
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        if 1 <= fps <= 1000:
            self.fps = min(fps, self.view.fps or fps)

    @classmethod
    def check(cls, uri: str) -> View:
        """Read the URI without opening anything."""
        return _read(uri).view

    def close(self) -> None:
        """Close the stream."""
        super().close()
        self._capture.release()

    def _shots(self) -> Iterator[Shot]:
        while self._capture.grab():
            captured_ns = time.monotonic_ns()
            readable, image = self._capture.retrieve()
            if not readable:
                break
            yield Shot(image.astype("uint8", copy=False), captured_ns)
        raise TransientError(
            f"{self.uri}: the stream broke off",
            hint="check the camera's power and network",
            code="rtsp.lost",
        )

    def _unopened(self) -> TransientError:
        """Say whether nobody answers or the answer is no; FFmpeg tells only its own log."""
        address = self._address
        try:
            socket.create_connection((address.host, address.port), _PROBE_S).close()
        except OSError as error:
            reason = error.strerror or str(error) or "no answer"
            return TransientError(
                f"{self.uri}: no answer from {address.host} port {address.port}: {reason.lower()}",
                hint="check the camera's power, its address and the network",
                code="rtsp.unreachable",
            )
        return TransientError(
            f"{self.uri}: the server answers and gives no such stream",
            hint="check the path, the user and the password file",
            code="rtsp.refused",
        )


@dataclass(frozen=True, slots=True)
class _Address:
    """A stream's address in parts that were checked."""

    user: str
    host: str
    port: int
    path: str
    view: RtspView

    @property
    def shown(self) -> str:
        """The address for people: without user, password and query."""
        port = "" if self.port == _PORT else f":{self.port}"
        return f"rtsp://{self.host}{port}{self.path}"

    def full(self) -> str:
        """Return the address for FFmpeg, with the password if there is one."""
        login = quote(self.user, safe="")
        if self.view.password_file:
            login += ":" + quote(read_secret(self.view.password_file), safe="")
        query = f"?{self.view.query}" if self.view.query else ""
        return f"rtsp://{login}{'@' if login else ''}{self.host}:{self.port}{self.path}{query}"


def _read(uri: str) -> _Address:
    place, view = _split(uri)
    found = _PLACE.fullmatch(place)
    login = (found["user"] or "") if found else ""
    if ":" in login or place.rpartition("@")[0].partition(":")[1]:
        raise UsageError(
            "rtsp://...: a password in the URI would be seen in process lists and logs",
            hint="write it into a file of mode 0600 and add ?password_file=PATH",
            code="rtsp.password",
        )
    port = int(found["port"] or _PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise UsageError(
            f"rtsp://{place}: is no address of a stream",
            hint="write rtsp://user@host:554/path",
            code="source.uri",
        )
    if view.password_file and not login:
        raise UsageError(
            f"rtsp://{place}: a password file and no user",
            hint="write rtsp://user@host/path",
            code="source.uri",
        )
    return _Address(unquote(login), found["host"], port, found["path"] or "/", view)


def _split(uri: str) -> tuple[str, RtspView]:
    try:
        place, view = split_uri(uri, "rtsp", RtspView)
    except UsageError as error:
        if "unknown key" not in error.what:
            raise
        hint = f"{error.hint}; a key of the camera's own goes into query=key=value"
        raise UsageError(error.what, hint=hint, code=error.code) from error
    if any(not 32 < ord(c) < 127 for c in view.query):
        raise UsageError("rtsp: query: has another character than ASCII's", code="source.query")
    return place, view
