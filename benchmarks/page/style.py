"""How a page looks, by day and by night, and which colours tell things apart."""

from __future__ import annotations

__all__ = ["COLOURS", "STYLE", "colour"]

#: Okabe and Ito's colours, which colour-blind people tell apart (Color Universal Design, 2008),
#: without the black and the yellow that one of the two backgrounds swallows.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#5c6570;--line:#d9dee4;--page:#f5f7f9;
--card:#fff;--good:#0b6e4f;--goodback:#e3f4ec;--warn:#8a4b00;--warnback:#fdf0dc;
--bad:#a1121b;--badback:#fde8e8}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--dim:#9aa4af;--line:#343b44;--page:#14171b;
--card:#1c2127;--good:#6fd3a8;--goodback:#16302a;--warn:#f2b866;--warnback:#37290f;
--bad:#ff8f8f;--badback:#3b1a1c}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 20px 48px}
header{display:flex;flex-wrap:wrap;align-items:center;gap:6px 16px;margin-bottom:18px}
h1{font-size:26px;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:19px;margin:40px 0 10px;overflow-wrap:anywhere}
h3{font-size:15px;margin:22px 0 8px}
section>header{margin:44px 0 0}
header h2{margin:0}
.badge{margin:0;padding:3px 12px;border-radius:14px;font-weight:600;font-size:14px;
overflow-wrap:anywhere;display:inline-block}
.good{color:var(--good);background:var(--goodback)}
.warn{color:var(--warn);background:var(--warnback)}
.bad{color:var(--bad);background:var(--badback)}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));
gap:10px;margin:12px 0 0}
.facts div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px 12px}
dt{color:var(--dim);font-size:12.5px}
dd{margin:0;font-weight:600;overflow-wrap:anywhere}
.note{margin:12px 0;padding:8px 14px;border-radius:8px}
.note ul{margin:4px 0;padding-left:20px}
.note li{overflow-wrap:anywhere}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:14px}
.plot,.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);
border-radius:8px;margin:0 0 14px}
.plot{padding:8px 10px 6px}
.plot figcaption{font-weight:600;font-size:14px;margin:0 2px 4px}
.plot svg{display:block;width:100%;height:auto}
svg text{font-size:11px;fill:var(--dim);font-family:inherit;paint-order:stroke;
stroke:var(--card);stroke-width:3px;stroke-linejoin:round}
svg .end{text-anchor:end}
svg .mid{text-anchor:middle}
svg .strong{fill:var(--ink);font-weight:600}
svg .grid{stroke:var(--line);stroke-width:1}
svg .axis{stroke:var(--dim);stroke-width:1}
svg .mark{stroke:var(--ink);stroke-width:1;stroke-dasharray:3 4;opacity:.7}
svg .span{stroke:var(--ink);stroke-width:1.1;opacity:.45}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round}
svg .front{fill:none;stroke:var(--dim);stroke-width:1.2;stroke-dasharray:5 4}
svg .hit:hover{filter:brightness(1.2)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;color:var(--dim);font-size:13px;margin:4px 2px}
.legend span{display:inline-flex;align-items:center}
i{flex:none;display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:7px}
i.hollow{border:2px solid currentColor;border-radius:50%}
details{margin-top:12px}
summary{cursor:pointer;font-weight:600;margin-bottom:6px}
table{border-collapse:collapse;font-size:13px;width:100%}
td,th{padding:4px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line);
font-variant-numeric:tabular-nums}
tr:last-child td{border-bottom:0}
th{color:var(--dim);font-weight:600}
td.word,th.word{text-align:left}
td.long{white-space:normal;overflow-wrap:anywhere;min-width:160px}
tr.strong td{font-weight:600}
tr.weak td{color:var(--dim)}
footer{color:var(--dim);font-size:13px;margin-top:36px;max-width:820px}
@media print{.plot,.scroll,.facts div{break-inside:avoid}}
"""


def colour(number: int) -> str:
    """Return the colour of the n-th of several things, as ``#RRGGBB``; they come round again."""
    return COLOURS[number % len(COLOURS)]
