"""Where to draw the line between two people: cosines of strangers, by the bundle's own networks.

    python -m models.training.threshold BUNDLE --data DIR

prints, for each route, the cosine that a given share of different-people pairs of ``faces`` val
exceeds. The cards of ``identity`` and ``identity_masked`` take theirs from it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.packs import Pack
from edge.bundle import Bundle
from edge.cli.common import Parser, run_command
from edge.engines import open_engine
from edge.frames import Frame
from edge.results import Detection
from edge.stages import IdentifyStage
from models.training.boxes import box_of_points
from models.training.masks import Masks

__all__ = ["main", "strangers"]

RATES = (0.01, 0.001, 0.0001)


def strangers(bundle: Bundle, data: Path) -> dict[str, NDArray[np.float32]]:
    """Return the cosines of all pairs of different people, bare with bare and masked with bare."""
    pack = Pack.open(data / "faces")
    rows = pack.rows("val")
    masks = Masks(data / "mask_templates", "train")
    plain, covered = [], []
    artefacts = {task: bundle.artefact(task) for task in ("identity", "identity-masked")}
    with open_engine(artefacts["identity"]) as a, open_engine(artefacts["identity-masked"]) as b:
        bare_stage = IdentifyStage(a, artefacts["identity"].contract)
        masked_stage = IdentifyStage(b, artefacts["identity-masked"].contract)
        for index, row in enumerate(rows):
            image, points = pack.image(row["file"]), pack.points5(row["file"])
            box = box_of_points(points.astype(np.float64)).astype(np.float32)
            face = Detection(box, 1.0, points)
            drawn = masks.draw(image, points, np.random.default_rng([5, index])).image_bgr
            plain.append(bare_stage(Frame(image, index, 0, row["file"]), face))
            covered.append(masked_stage(Frame(drawn, index, 0, row["file"]), face))
    groups = np.array([row["group"] for row in rows])
    different = groups[:, None] != groups[None]
    bare = np.stack(plain)
    upper = np.triu(different, 1)
    return {
        "identity": (bare @ bare.T)[upper],
        "identity-masked": (np.stack(covered) @ bare.T)[different],
    }


def main(argv: list[str] | None = None) -> int:
    """Print the thresholds; return the exit code."""

    def work(rest: Sequence[str]) -> int:
        parser = Parser(prog="python -m models.training.threshold")
        parser.add_argument("bundle", type=Path)
        parser.add_argument("--data", type=Path, default=Path("data"))
        arguments = parser.parse_args(rest)
        for route, cosines in strangers(Bundle.open(arguments.bundle), arguments.data).items():
            levels = np.quantile(cosines, [1 - rate for rate in RATES])
            text = "  ".join(f"FAR {r:g}: {v:.3f}" for r, v in zip(RATES, levels, strict=True))
            print(f"{route}  {len(cosines)} pairs  {text}")
        return 0

    return run_command("threshold", work, argv)


if __name__ == "__main__":
    sys.exit(main())
