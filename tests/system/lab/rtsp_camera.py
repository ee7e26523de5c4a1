"""An RTSP camera on 127.0.0.1: H.264 of a folder of numbered JPEG files, round and round.

A program for the system's own Python, which has GStreamer; ``lab.cameras`` starts it. It prints
``ready`` when it serves. SIGKILL is a camera without power, SIGSTOP one that hangs.
"""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

_FPS = 15
_PICTURES = "caps=image/jpeg,framerate={fps}/1 ! jpegdec ! videoconvert ! video/x-raw,format=I420"
_STREAM = "x264enc tune=zerolatency speed-preset=ultrafast bitrate=1500 key-int-max={fps}"
_PACKETS = "rtph264pay name=pay0 pt=96 config-interval=1"


def serve(port: str, pattern: str) -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    source = f'multifilesrc location="{pattern}" loop=true {_PICTURES.format(fps=_FPS)}'
    factory.set_launch(f"( {source} ! {_STREAM.format(fps=_FPS)} ! {_PACKETS} )")
    factory.set_shared(True)
    server.get_mount_points().add_factory("/cam", factory)
    if server.attach(None) == 0:
        sys.exit(f"cannot listen on port {port}")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    serve(*sys.argv[1:])
