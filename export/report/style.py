"""What the page of an inspection looks like beside what all pages share."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
main{max-width:1440px}
.plot svg{max-height:420px}
svg .label,svg .unit,svg .said{text-anchor:end}
svg .tick{text-anchor:middle}
svg .out{fill:var(--warn)}
i.ring{border:2px solid var(--dim);border-radius:50%}
i.triangle{border-radius:0;background:var(--warn);clip-path:polygon(50% 0,0 100%,100% 100%)}
th{cursor:help}
.word,details td{text-align:left}
.layers tbody tr:hover{background:var(--page)}
.look{color:var(--bad);font-weight:600}
"""
