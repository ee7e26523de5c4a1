"""Errors a user can meet, each with an exit code of sysexits.h.

    EdgeError
      UsageError        64  a flag or an argument
      DataError         65  a picture, a video, a gallery or a data pack cannot be used
      MissingInput      66  the named file or folder is not there
      UnavailableError  69  a camera, an accelerator or a library is missing
      OutputError       73  a result cannot be written
      TransientError    75  try again: camera lost, device busy
      BundleError       76  a digest, a contract or its evidence does not hold
      ConfigError       78  a configuration file
      GateFailed         3  a figure fell below the promised one (no crash)
      Interrupted      130  SIGINT

``str(error)`` is one line: what happened, to which thing, and what to do about it.
"""

from __future__ import annotations

__all__ = [
    "BundleError",
    "ConfigError",
    "DataError",
    "EdgeError",
    "GateFailed",
    "Interrupted",
    "MissingInput",
    "OutputError",
    "TransientError",
    "UnavailableError",
    "UsageError",
]


class EdgeError(Exception):
    """Say what happened to which thing, with a stable code and what mends it.

    Args:
        what: one clause that names the thing and what is wrong with it.
        hint: the command or the change that mends it; may be empty.
        code: stable, searchable identifier such as ``"bundle.altered"``.
    """

    exit_code = 70

    def __init__(self, what: str, *, hint: str = "", code: str = "") -> None:
        self.what = " ".join(what.split())
        self.hint = " ".join(hint.split())
        self.code = code
        super().__init__(self.what)

    def __str__(self) -> str:
        text = f"{self.what}; {self.hint}" if self.hint else self.what
        return f"{text}  [{self.code}]" if self.code else text

    def lines(self) -> tuple[str, ...]:
        """Return what is shown to a person: one line, or one for each of several problems."""
        return (str(self),)


class UsageError(EdgeError):
    """A flag or an argument does not make sense."""

    exit_code = 64


class DataError(EdgeError):
    """A picture, a video, a gallery or a data pack cannot be used."""

    exit_code = 65


class MissingInput(EdgeError):
    """The named file or folder is not there, or cannot be opened."""

    exit_code = 66


class UnavailableError(EdgeError):
    """A camera, an accelerator or a library is missing."""

    exit_code = 69


class OutputError(EdgeError):
    """A result cannot be written."""

    exit_code = 73


class TransientError(EdgeError):
    """The same command may work in a moment."""

    exit_code = 75


class BundleError(EdgeError):
    """A digest, a contract or the evidence of a bundle does not hold."""

    exit_code = 76


class ConfigError(EdgeError):
    """A configuration file says something that cannot be.

    Args:
        problems: all that is wrong with it, a clause each; empty where ``what`` says it.
    """

    exit_code = 78

    def __init__(
        self, what: str, *, hint: str = "", code: str = "", problems: tuple[str, ...] = ()
    ) -> None:
        super().__init__(what, hint=hint, code=code)
        self.problems = problems

    def lines(self) -> tuple[str, ...]:
        """Return a line for each problem."""
        return tuple(f"{said}  [{self.code}]" for said in self.problems) or super().lines()


class GateFailed(EdgeError):
    """A measured figure fell below the promised one; nothing crashed."""

    exit_code = 3


class Interrupted(EdgeError):
    """The user stopped the command."""

    exit_code = 130
