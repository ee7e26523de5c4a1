"""Which Debian packages a system has, from dpkg's own file: nothing is run."""

from __future__ import annotations

import re

from edge.board.system import System

__all__ = ["installed_version"]

_STATUS = "var/lib/dpkg/status"
#: That of a Jetson with its desktop and all of JetPack has 4 MiB.
_MAX_BYTES = 64 << 20
_FIELD = re.compile(rb"^(Package|Status|Version):[ \t]*(.{0,200})", re.M)


def installed_version(system: System, package: str) -> str | None:
    """Return a package's version, such as ``6.2+b77``; None where it is not installed.

    Args:
        system: the machine.
        package: its name.
    """
    try:
        with open(system.root / _STATUS, "rb") as stream:
            content = stream.read(_MAX_BYTES)
    except OSError:
        return None
    # deb-control(5): an empty line ends a package's fields.
    for begun in re.finditer(
        rb"^Package:[ \t]*" + re.escape(package.encode()) + rb"$", content, re.M
    ):
        end = content.find(b"\n\n", begun.start())
        fields = dict(_FIELD.findall(content, begun.start(), end if end >= 0 else len(content)))
        if fields.get(b"Status", b"").split()[-1:] == [b"installed"]:
            return fields.get(b"Version", b"").decode("utf-8", "replace").strip() or None
    return None
