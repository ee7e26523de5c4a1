"""What takes part in a recipe's calibration pictures, as one digest."""

from __future__ import annotations

from pathlib import Path

from benchmarks.packs import Pack
from export.cache import digest, digest_code, digest_files, tool_versions
from export.calibration.calibrate import SAMPLES
from export.cards.card import Card
from export.making.steps import TOOLS
from export.program.lowered import Lowered

__all__ = ["samples_key"]


def samples_key(card: Card, exact: Lowered, detector: Lowered | None, data: Path) -> str:
    """Digest everything that takes part in the inputs that a recipe is calibrated with.

    Args:
        card: of the recipe.
        exact: its float program.
        detector: finds the faces in the pictures; None for the detector itself.
        data: folder of the data packs.
    """
    return digest(
        exact.content,
        exact.contract.to_json(),
        card.calibration,
        Pack.open(data / card.calibration.pack).digest(),
        _samples_digest(card),
        detector.content if detector else b"",
        _source_digest(),
        tool_versions(*TOOLS),
    )


def _samples_digest(card: Card) -> str:
    """Digest the recipe's own samples, and what recipes share to make them."""
    if not (card.folder / SAMPLES).is_file():
        return ""
    shared = digest_files(card.folder.parent, "training/*.py")
    return digest(digest_files(card.folder, SAMPLES), shared)


def _source_digest() -> str:
    """Digest the code of calibration and verification, and what they share with the device."""
    return digest_code(
        *("edge/contract.py", "edge/geometry.py", "edge/engines/*.py", "edge/stages/*.py"),
        *("benchmarks/*.py", "benchmarks/tasks/*.py"),
        *("export/calibration/*.py", "export/program/lowered.py", "export/gate/*.py"),
    )
