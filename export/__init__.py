"""The toolchain behind ``edge-export``: from a trained network to a proven artefact.

make      every recipe of a folder of models, into a bundle
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from export.make import Made

__all__ = ["make"]


def make(out: Path, *, models: Path, data: Path, work: Path) -> Made:
    """Export every recipe in ``models`` into the bundle ``out``; see ``export.make``.

    Raises:
        EdgeError: a card, weights, data or a gate; nothing is written then.
    """
    from export.make import Settings
    from export.make import make as run

    return run(out, Settings(models=models, data=data, work=work))
