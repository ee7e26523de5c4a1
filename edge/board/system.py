"""What the kernel and the board's own commands say, read from any root: never fatal.

Every reader of this package goes through here, so that a tree of plain files in a temporary
folder stands for a board that is not at hand.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

__all__ = ["System"]

#: /proc/cpuinfo of a machine with 256 processors has 400 KiB.
_MAX_BYTES = 1 << 20
#: Where systems keep the commands that are asked here (vcgencmd, nvpmodel, tegrastats, git); the
#: search path is not looked at, since it may hold anything.
_FOLDERS = ("usr/bin", "usr/sbin", "bin", "sbin", "opt/vc/bin")
_PATIENCE_S = 2.0
_MAX_MATCHES = 1024


class System:
    """The files and commands of one machine.

    Args:
        root: its root folder.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def text(self, path: str) -> str | None:
        """Return what a file says, without white space round it; None where there is none.

        Args:
            path: below the root, without a slash at its start.
        """
        try:
            with open(self.root / path, "rb") as stream:
                content = stream.read(_MAX_BYTES)
        except (OSError, ValueError):
            return None
        # Strings of the device tree end with a zero byte.
        return content.decode("utf-8", "replace").strip("\0 \t\r\n")

    def number(self, path: str, *, base: int = 10) -> int | None:
        """Return the whole number in a file; None where there is none."""
        text = self.text(path)
        try:
            return None if text is None else int(text[:64], base)
        except ValueError:
            return None

    def fields(self, path: str) -> dict[str, str]:
        """Return the lines ``key: value`` of a file; of several with one key, the first."""
        found: dict[str, str] = {}
        for line in (self.text(path) or "").splitlines():
            key, colon, value = line.partition(":")
            if colon:
                found.setdefault(key.strip(), value.strip())
        return found

    def paths(self, pattern: str) -> list[str]:
        """Return what fits a pattern, as ``text`` takes it, in order; numbers count as numbers."""
        try:
            found = [str(p.relative_to(self.root)) for p in self.root.glob(pattern)]
        except OSError:
            return []
        return sorted(found, key=lambda p: (len(p), p))[:_MAX_MATCHES]

    def command(self, name: str) -> Path | None:
        """Return where a command lies; None where the system has none."""
        for folder in _FOLDERS:
            path = self.root / folder / name
            if path.is_file() and os.access(path, os.X_OK):
                return path
        return None

    def ask(self, name: str, *arguments: str, patience_s: float = _PATIENCE_S) -> str | None:
        """Run a command and return what it prints; None where there is none, or it fails.

        Args:
            name: looked for in the system's own folders; no shell reads it.
            arguments: passed on as they are.
            patience_s: after so long it is ended, with all that it started.
        """
        path = self.command(name)
        if path is None:
            return None
        try:
            process = subprocess.Popen(
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,
            )
        except OSError:
            return None
        try:
            printed, _ = process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            # What it started may hold the pipe open; its whole session goes.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None
        except BaseException:
            process.kill()
            process.wait()
            raise
        return None if process.returncode else printed[:_MAX_BYTES].decode("utf-8", "replace")
