"""Results as one page that needs nothing beside itself, and as Markdown for a README."""

from __future__ import annotations

from benchmarks.report.markdown import markdown
from benchmarks.report.named import Named
from benchmarks.report.page import page

__all__ = ["Named", "markdown", "page"]
