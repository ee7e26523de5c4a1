"""A real RTSP server that shows one picture for ever; run by the system's Python.

Needs Debian's python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-base and -good. Prints
``ready`` when it serves rtsp://127.0.0.1:PORT/cam.

    /usr/bin/python3 rtsp_server.py PORT PICTURE.png [USER:PASSWORD]
"""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main(port: str, picture: str, login: str = "") -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( filesrc location={picture} ! pngdec ! imagefreeze is-live=true ! "
        "video/x-raw,framerate=30/1 ! videoconvert ! video/x-raw,format=I420 ! "
        "jpegenc quality=95 ! rtpjpegpay name=pay0 pt=26 )"
    )
    factory.set_shared(True)
    if login:
        name, _, password = login.partition(":")
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", name)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(name, password), token)
        server.set_auth(auth)
        rights = "media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
        factory.add_role_from_structure(Gst.Structure.from_string(f"{name}, {rights};")[0])
    server.get_mount_points().add_factory("/cam", factory)
    if server.attach(None) == 0:
        sys.exit(f"cannot listen on port {port}")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
