"""The README's figures are written between two marks; its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.readme import replace_between
from edge.errors import DataError

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "docs/index.md", "docs/decisions.md")


@pytest.mark.parametrize("name", ["figures", "speed"])
def test_only_what_is_between_the_marks_is_replaced(name: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    marks = (f"<!-- {name} -->", f"<!-- /{name} -->")
    once = replace_between(text, marks, "| a | b |")
    assert "| a | b |" in once
    assert replace_between(once, marks, "| c | d |") == replace_between(text, marks, "| c | d |")
    before, after = text.split(marks[0])[0], text.split(marks[1])[1]
    assert once.startswith(before) and once.endswith(after)


@pytest.mark.parametrize("text", ["", "<!-- figures -->", "<!-- /figures -->"])
def test_a_readme_without_marks_is_left_alone(text: str) -> None:
    with pytest.raises(DataError, match="README"):
        replace_between(text, ("<!-- figures -->", "<!-- /figures -->"), "| a |")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))
    dead = [link for link in links if not (path.parent / link).exists()]
    assert dead == []
