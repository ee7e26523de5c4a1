"""How the page looks, by day and by night."""

__all__ = ["STYLE"]

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
main{max-width:1440px;margin:0 auto;padding:28px 20px 48px}
header{display:flex;flex-wrap:wrap;align-items:center;gap:6px 16px;margin-bottom:18px}
h1{font-size:26px;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:16px;margin:26px 0 8px}
.badge{margin:4px 0 0;padding:3px 12px;border-radius:14px;font-weight:600;overflow-wrap:anywhere}
.badge.whole{color:var(--good);background:var(--goodback)}
.badge.part,p.part{color:var(--warn);background:var(--warnback)}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:10px;margin:0}
.facts div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px 12px}
dt{color:var(--dim);font-size:12.5px}
dd{margin:0;font-weight:600;overflow-wrap:anywhere}
.well,.ill,p.part{margin:16px 0 0;padding:8px 14px;border-radius:8px}
.well{color:var(--good);background:var(--goodback)}
.ill{color:var(--bad);background:var(--badback)}
.ill h2{margin:4px 0}
.ill ul{margin:4px 0;padding-left:20px}
.ill li{overflow-wrap:anywhere}
.plot,.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px}
.plot svg{display:block;width:100%;height:auto;max-height:420px}
svg text{font-size:11px;fill:var(--dim)}
svg .label,svg .unit,svg .said{text-anchor:end}
svg .tick{text-anchor:middle}
svg .grid{stroke:var(--line);stroke-width:1}
svg .axis{stroke:var(--dim);stroke-width:1}
svg .mark{stroke:var(--dim);stroke-width:1;stroke-dasharray:3 4}
svg .span{stroke:var(--ink);stroke-width:1.1;opacity:.5}
svg .out{fill:var(--warn)}
svg .hit:hover{filter:brightness(1.25)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;color:var(--dim);font-size:13px;margin:10px 2px}
.legend span{display:inline-flex;align-items:center}
i{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:7px}
i.ring{border:2px solid var(--dim);border-radius:50%}
i.triangle{border-radius:0;background:var(--warn);clip-path:polygon(50% 0,0 100%,100% 100%)}
details{margin-top:14px}
summary{cursor:pointer;font-weight:600;margin-bottom:6px}
table{border-collapse:collapse;font-size:13px;width:100%}
td,th{padding:4px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line);
font-variant-numeric:tabular-nums}
tr:last-child td{border-bottom:0}
th{color:var(--dim);font-weight:600;cursor:help}
.word,details td{text-align:left}
.layers tbody tr:hover{background:var(--page)}
.look{color:var(--bad);font-weight:600}
footer{color:var(--dim);font-size:13px;margin-top:28px;max-width:820px}
"""
