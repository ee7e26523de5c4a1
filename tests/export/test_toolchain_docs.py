"""docs/jetson.md tells every refusal, every rule and every release, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from export.toolchains.rules import RULES
from tests.trt.collect_names import RELEASES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/jetson.md").read_text(encoding="utf-8")


def _table(heading: str) -> list[str]:
    """Return the first cells of the table below a heading."""
    below = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line.split("|")[1] for line in below.splitlines() if line.startswith("| ")][2:]


def test_every_refusal_of_building_is_told() -> None:
    told = set(re.findall(r"`(build\.\w+)`", " ".join(_table("When it does not work"))))
    raised = {
        code
        for file in sorted((ROOT / "export/toolchains").rglob("*.py"))
        for code in re.findall(r'code="(build\.\w+)"', file.read_text(encoding="utf-8"))
    }
    # What the inspector of TensorRT itself gets wrong, and a bundle that is no longer what it was.
    assert told == raised - {"build.layers", "build.damaged"}


def test_every_rule_is_told() -> None:
    assert {name for cell in _table("The rules") for name in re.findall(r"[\w-]+", cell)} == set(
        RULES
    )


def test_every_release_that_was_played_is_told() -> None:
    said = PAGE.split("\n## Prepare")[0]
    assert all(re.search(rf"\b{re.escape(release)}\b", said) for release in RELEASES)
