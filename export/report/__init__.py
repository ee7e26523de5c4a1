"""Show an inspection: as a table on the terminal, and as one HTML page with plots."""

from export.report.page import page
from export.report.terminal import show, text

__all__ = ["page", "show", "text"]
