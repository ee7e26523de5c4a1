"""The machine that is installed on: a running one, or a tree of files that becomes one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edge.board.system import System
from edge.errors import OutputError, UnavailableError
from edge.files import write_whole

__all__ = ["Machine"]

_ENDS_OF_A_LINE = 300


class Machine:
    """Files below a root, and the commands of the system that runs there.

    Args:
        root: ``/``, or the folder of an image that is being built; nothing is started there.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.system = System(root)
        self.root = root
        self.is_live = root == Path("/")

    def at(self, path: str | Path) -> Path:
        """Return where an absolute path of this machine lies."""
        return self.root / str(path).lstrip("/")

    def read(self, path: str | Path) -> bytes | None:
        """Return the bytes of a file; None where there is none."""
        try:
            return self.at(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unwritable(self.at(path), error) from error

    def write(self, path: str | Path, content: bytes, *, mode: int = 0o644) -> None:
        """Write a file whole, and the folders above it.

        Raises:
            OutputError: it cannot be written.
        """
        target = self.at(path)
        try:
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_whole(target, content)
            target.chmod(mode)
        except OSError as error:
            raise _unwritable(target, error) from error

    def remove(self, path: str | Path) -> None:
        """Remove a file, a link, or a folder with all that is in it.

        Raises:
            OutputError: it cannot be removed.
        """
        target = self.at(path)
        try:
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(target, error) from error

    def inside(self, *command: str | Path) -> list[str]:
        """Return a command as it runs inside this machine: in a tree, by chroot."""
        argv = [str(part) for part in command]
        return argv if self.is_live else ["chroot", str(self.root), *argv]

    def run(self, command: Sequence[str], *, mend: str = "") -> str:
        """Run a command of the system that does the work, and return what it prints.

        Args:
            command: its name, without a folder (looked for in the system's own), or a path; its
                arguments. No shell reads them.
            mend: what to do when it fails.

        Raises:
            UnavailableError: there is no such command.
            OutputError: it fails; the message has what it said last.
        """
        program: str | Path | None = command[0]
        if "/" not in command[0]:
            program = System().command(command[0])
        if program is None:
            raise UnavailableError(
                f"{command[0]}: this system has no such command", hint=mend, code="install.command"
            )
        # With a folder of the caller's in PYTHONPATH pip would look at other packages.
        kept = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
        try:
            ended = subprocess.run(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={**kept, "LC_ALL": "C.UTF-8"},
                cwd="/",
                check=False,
            )
        except OSError as error:
            raise _unwritable(Path(program), error) from error
        if ended.returncode:
            raise OutputError(
                f"{' '.join(command)[:_ENDS_OF_A_LINE]}: {_last(ended.stderr or ended.stdout)}",
                hint=mend,
                code="install.command",
            )
        return ended.stdout.decode("utf-8", "replace")


def _last(printed: bytes) -> str:
    """Return the line that says why: the last with the word error, else the last."""
    lines = [line.strip() for line in printed.decode("utf-8", "replace").splitlines()]
    said = [line for line in lines if line]
    errors = [line for line in said if "error" in line.lower()]
    return (errors or said or ["failed"])[-1][:_ENDS_OF_A_LINE]


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path}: {error.strerror or error}",
        hint="see that the disk is not full or read-only, and run it with sudo",
        code="install.write",
    )
