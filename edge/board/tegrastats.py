"""Read the lines of NVIDIA's ``tegrastats``.

Their fields: Jetson Linux Developer Guide, "tegrastats Utility". A rail is ``VDD_IN 4786mW/4700mW``
(now/mean since it began; ``POM_5V_IN 2532/2698`` in older releases), a temperature ``cpu@46.531C``,
memory ``RAM 2461/7620MB``.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from edge.board.system import System
from edge.owned import Owned

__all__ = ["Tegrastats", "TegrastatsFeed", "parse_tegrastats"]

_MAX_LINE = 4096
_RAIL = re.compile(r"(?:^|\s)([A-Z][A-Z0-9_]{1,31}) (\d{1,7})(?:mW)?/(\d{1,7})(?:mW)?(?=\s|$)")
_HEAT = re.compile(r"(?:^|\s)([A-Za-z][\w-]{0,31})@(-?\d{1,3}(?:\.\d{1,3})?)C(?=\s|$)")
_RAM = re.compile(r"(?:^|\s)RAM (\d{1,7})/(\d{1,7})MB(?=\s|$)")
#: An absent sensor shows -256 °C.
_COLDEST = -40.0


@dataclass(frozen=True, slots=True)
class Tegrastats:
    """One line.

    Attributes:
        rails_mw: power now, by rail.
        celsius: by zone.
        ram_mb: used, total; None if the line has none.
    """

    rails_mw: Mapping[str, int]
    celsius: Mapping[str, float]
    ram_mb: tuple[int, int] | None


def parse_tegrastats(line: str) -> Tegrastats | None:
    """Read one line; None if it is none of tegrastats.

    Args:
        line: any text; no more than its first 4096 characters are looked at.
    """
    text = line[:_MAX_LINE]
    rails = {name: int(now) for name, now, _ in _RAIL.findall(text)}
    heat = {name: float(said) for name, said in _HEAT.findall(text)}
    ram = _RAM.search(text)
    if ram is None and not rails and not heat:
        return None
    return Tegrastats(
        rails_mw=rails,
        celsius={name: value for name, value in heat.items() if value > _COLDEST},
        ram_mb=None if ram is None else (int(ram.group(1)), int(ram.group(2))),
    )


class TegrastatsFeed(Owned):
    """The command itself, followed by a thread until it is closed.

    Args:
        system: the machine; without the command nothing is ever told.
        every_ms: between two lines.

    Attributes:
        last: what the last line said; None before the first.
    """

    def __init__(self, system: System, *, every_ms: int) -> None:
        self.last: Tegrastats | None = None
        self._told = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        path = system.command("tegrastats")
        if path is None:
            return
        try:
            self._process = subprocess.Popen(
                [path, "--interval", str(every_ms)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError:
            return
        self._thread = threading.Thread(target=self._follow, name="tegrastats", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait for the first line, or for the end of the command."""
        if self._process is not None:
            self._told.wait(seconds)

    def close(self) -> None:
        """End the process; a second call does nothing."""
        process, self._process = self._process, None
        if process is not None and process.stdout is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self._thread.join()
            process.stdout.close()

    def _follow(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        stream = self._process.stdout
        while line := stream.readline(8192):
            self.last = parse_tegrastats(line) or self.last
            if self.last is not None:
                self._told.set()
        self._told.set()
