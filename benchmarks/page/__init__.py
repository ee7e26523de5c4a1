"""Pages and plots that need nothing beside themselves: HTML, SVG and Markdown written by hand."""

from __future__ import annotations

from benchmarks.page.field import Axis, Field
from benchmarks.page.html import badge, document, fact_cards, figure, legend, note, safe, table
from benchmarks.page.markdown import markdown_table
from benchmarks.page.style import COLOURS, STYLE, colour
from benchmarks.page.text import clean, interval_text, moment_text, number_text

__all__ = [
    "COLOURS",
    "STYLE",
    "Axis",
    "Field",
    "badge",
    "clean",
    "colour",
    "document",
    "fact_cards",
    "figure",
    "interval_text",
    "legend",
    "markdown_table",
    "moment_text",
    "note",
    "number_text",
    "safe",
    "table",
]
