"""What every command shares: one line for an error, an exit code, never a traceback."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from edge.errors import EdgeError, UsageError
from edge.places import default_gallery, open_bundle

__all__ = [
    "TRUST",
    "Parser",
    "Progress",
    "default_gallery",
    "open_bundle",
    "positive_number",
    "run_command",
    "say",
    "whole_number",
]

#: Settings of the option ``--trust``, the same in every command that opens a bundle.
TRUST: dict[str, Any] = {
    "metavar": "KEY",
    "type": Path,
    "action": "append",
    "help": "demand that the bundle is signed with this public key's private one; may be repeated",
}

_INTERNAL = 70
_INTERRUPTED = 130
#: What OpenCV's exception carries instead of being a ``MemoryError``: cv::Error::StsNoMem.
_CV_NO_MEMORY = -4
_BROKEN_PIPE = 141  # what a shell shows for a command that SIGPIPE ended


class Parser(argparse.ArgumentParser):
    """An argument parser whose refusals are ``UsageError``: one line, exit code 64.

    Examples below the options keep their lines, and no option may be shortened: a script that
    relied on it would break with the next option.
    """

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        settings.setdefault("allow_abbrev", False)
        super().__init__(**settings)

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments.

        Raises:
            UsageError: always.
        """
        raise UsageError(message, hint=f"see: {self.prog} --help", code="usage")


class Progress:
    """A line on standard error that follows the work; only on a terminal, only after 2 s."""

    def __init__(self, total: int | None, what: str = "frame") -> None:
        self._total = total
        self._what = what
        self._count = 0
        self._started = self._shown = time.monotonic()
        self._visible = False
        self._terminal = sys.stderr is not None and sys.stderr.isatty()

    def step(self) -> None:
        """Count one frame, or whatever it is."""
        self._count += 1
        now = time.monotonic()
        if self._terminal and now - self._started > 2 and now - self._shown > 0.2:
            rate = self._count / (now - self._started)
            of = f" of {self._total}" if self._total else ""
            sys.stderr.write(f"\r\x1b[K{self._what} {self._count}{of}, {rate:.1f} a second")
            sys.stderr.flush()
            self._shown, self._visible = now, True

    def clear(self) -> None:
        """Wipe the line, so that another can be written."""
        if self._visible:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._visible = False


def run_command(
    program: str, body: Callable[[Sequence[str]], int], argv: Sequence[str] | None
) -> int:
    """Run a command's body and turn how it ends into an exit code.

    Args:
        program: name that begins every line on standard error.
        body: takes the arguments and returns the exit code.
        argv: arguments; None takes those of the process.

    Returns:
        What the body returned, or the code of its error (docs/results.md has the table).
    """
    _occupy_closed_streams()
    with _stderr_of_our_own():
        try:
            code = body(sys.argv[1:] if argv is None else argv)
            if sys.stdout is not None:
                sys.stdout.flush()
            return code
        except EdgeError as error:
            for line in error.lines():
                say(program, line)
            return error.exit_code
        except KeyboardInterrupt:
            say(program, "stopped; unfinished files were removed")
            return _INTERRUPTED
        except BrokenPipeError:
            _abandon_stdout()
            return _BROKEN_PIPE
        except OSError as error:
            _abandon_stdout()
            say(program, f"{error.filename or 'system'}: {error.strerror or error}  [os]")
            return 73
        except Exception as error:
            if _is_out_of_memory(error):
                say(program, "out of memory; give smaller pictures or free some memory  [memory]")
                return _INTERNAL
            if sys.flags.dev_mode:
                raise
            say(
                program,
                f"internal error: {type(error).__name__}: {error}; this is a defect: run it again "
                "with PYTHONDEVMODE=1 for a traceback to report  [internal]",
            )
            return _INTERNAL


def _is_out_of_memory(error: Exception) -> bool:
    """Tell whether memory was refused, to Python or to OpenCV."""
    is_opencv = type(error).__module__ == "cv2"  # not imported here: most commands need none
    return isinstance(error, MemoryError) or (
        is_opencv and getattr(error, "code", 0) == _CV_NO_MEMORY
    )


def say(program: str, message: object) -> None:
    """Write one line on standard error; without one to write to, do nothing."""
    line = " ".join(f"{program}: {message}".split("\n"))
    printable = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    if sys.stderr is not None:  # closed at the start; ``print`` would take standard output instead
        with contextlib.suppress(OSError, ValueError):
            print(printable, file=sys.stderr, flush=True)


def whole_number(text: str) -> int:
    """Read an argument that is a whole number from 1 on."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def positive_number(text: str) -> float:
    """Read an argument that is a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def _occupy_closed_streams() -> None:
    """Take the numbers 0, 1 and 2 where they are free, or the next file opened would get them.

    A library that prints would then write into a file of results. What is opened in their place
    refuses to be used, so that a result for nobody stays an error.
    """
    for number, refusing in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, refusing)  # the lowest number that is free


@contextlib.contextmanager
def _stderr_of_our_own() -> Iterator[None]:
    """Part our lines from those that libraries in C write to descriptor 2.

    libpng, libjpeg, FFmpeg and LiteRT print there by themselves; what they say of a damaged file
    our one line says too. Python's development mode leaves them.
    """
    try:
        ours = sys.stderr is not None and sys.stderr.fileno() == 2 and not sys.flags.dev_mode
        kept = os.dup(2) if ours else -1
    except (OSError, ValueError):
        kept = -1
    if kept < 0:
        yield
        return
    before = sys.stderr
    with open(kept, "w", encoding=before.encoding, errors="backslashreplace") as stream:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        sys.stderr = stream
        try:
            yield
        finally:
            sys.stderr = before
            os.dup2(kept, 2)


def _abandon_stdout() -> None:
    """Let what is still buffered go nowhere, or Python complains of it at its end."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), 1)
