"""Which revision of the project ran: of a checkout, asked of git; a wheel has none."""

from __future__ import annotations

from pathlib import Path

from edge.board.system import System

__all__ = ["revision"]

_PATIENCE_S = 5.0


def revision(folder: Path) -> str | None:
    """Return the commit of a checkout, with ``dirty`` behind it where tracked files differ.

    Args:
        folder: the checkout's top.

    Returns:
        Twelve or more digits; None without a checkout, or without git.
    """
    if not (folder / ".git").exists():
        return None
    # No tag ever fits, so that the commit itself is told. The index is left as it is.
    said = System().ask(
        "git", "--no-optional-locks", "-C", str(folder),
        "describe", "--always", "--abbrev=12", "--dirty= dirty", "--exclude=*",
        patience_s=_PATIENCE_S,
    )  # fmt: skip
    return None if said is None else said.strip() or None
