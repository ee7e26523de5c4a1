"""What an installation is made of: parts that can be made twice and taken away."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Action"]


class Action(Protocol):
    """One part of an installation.

    Attributes:
        name: what it is and where, such as ``unit /etc/systemd/system/unveil-edge.service``.
        stays: whether it stays when the service is uninstalled and nothing is purged.
        takes_long: whether somebody who waits should be told before.
    """

    name: str
    stays: bool
    takes_long: bool

    def lacks(self) -> str:
        """Return what ``do`` would do, such as ``write unit …``; empty when all is already so."""
        ...

    def do(self) -> None:
        """Make it so.

        Raises:
            EdgeError: it cannot be done; another call goes on from there.
        """
        ...

    def is_there(self) -> bool:
        """Tell whether there is anything to take away."""
        ...

    def undo(self) -> None:
        """Take it away.

        Raises:
            EdgeError: it cannot be done.
        """
        ...
