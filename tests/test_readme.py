"""The README's figures are written between two marks; its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.readme import replace_figures
from edge.errors import DataError

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "docs/index.md", "docs/decisions.md")


def test_only_what_is_between_the_marks_is_replaced() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    once = replace_figures(text, "| a | b |")
    assert "| a | b |" in once
    assert replace_figures(once, "| c | d |") == replace_figures(text, "| c | d |")
    before, after = text.split("<!-- figures -->")[0], text.split("<!-- /figures -->")[1]
    assert once.startswith(before) and once.endswith(after)


@pytest.mark.parametrize("text", ["", "<!-- figures -->", "<!-- /figures -->"])
def test_a_readme_without_marks_is_left_alone(text: str) -> None:
    with pytest.raises(DataError, match="README"):
        replace_figures(text, "| a |")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))
    dead = [link for link in links if not (path.parent / link).exists()]
    assert dead == []
