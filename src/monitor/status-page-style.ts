/** Style of the status page, light and dark. */
export const statusPageStyle = `
:root { --bg:#f6f7f9; --card:#fff; --line:#dfe3e8; --text:#1b2330; --soft:#5c6878; --accent:#0b6bcb; --good:#14713d; --bad:#b3261e; --warn:#8a5a00; }
@media (prefers-color-scheme: dark) {
  :root { --bg:#10141a; --card:#181e26; --line:#2b3440; --text:#e6ebf1; --soft:#97a3b3; --accent:#5cb0ff; --good:#5fd193; --bad:#ff8a80; --warn:#ffc860; }
}
* { box-sizing:border-box; }
body { margin:0 auto; padding:24px 20px 40px; max-width:1080px; background:var(--bg); color:var(--text); font:15px/1.45 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif; }
header { display:flex; align-items:baseline; gap:12px; flex-wrap:wrap; margin-bottom:16px; }
h1 { font-size:22px; margin:0; letter-spacing:-.01em; }
h2 { font-size:17px; margin:0; }
#who { color:var(--soft); }
.pill { border:1px solid currentColor; border-radius:999px; padding:1px 10px; font-size:13px; font-weight:600; color:var(--soft); }
.pill.good { color:var(--good); } .pill.bad { color:var(--bad); } .pill.warn { color:var(--warn); }
header .pill { margin-left:auto; }
#problems { border-left:4px solid var(--bad); background:var(--card); padding:10px 14px; margin:0 0 16px; white-space:pre-line; }
.source { margin-bottom:28px; }
.source-head { display:flex; gap:10px; align-items:center; margin-bottom:10px; }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(min(280px,45%),1fr)); gap:12px; }
.card { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:12px 14px; min-width:0; }
.card.wide { grid-column:1/-1; }
.label { color:var(--soft); font-size:13px; }
.value { font-size:24px; font-weight:600; font-variant-numeric:tabular-nums; letter-spacing:-.01em; }
.wide .value { font-size:32px; }
.note { color:var(--soft); font-size:13px; font-variant-numeric:tabular-nums; overflow-wrap:anywhere; }
svg { display:block; width:100%; height:110px; margin-top:6px; }
svg.bar { height:6px; }
.area { fill:var(--accent); opacity:.14; } .stroke { fill:none; stroke:var(--accent); stroke-width:2; vector-effect:non-scaling-stroke; stroke-linejoin:round; }
.track { fill:var(--line); } .fill { fill:var(--accent); } .fill.low { fill:var(--bad); }
.scroll { overflow-x:auto; margin-top:12px; background:var(--card); border:1px solid var(--line); border-radius:10px; }
table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums; }
th,td { text-align:right; padding:7px 14px; white-space:nowrap; } th:first-child,td:first-child { text-align:left; }
th { color:var(--soft); font-weight:500; font-size:13px; } tbody tr { border-top:1px solid var(--line); }
@media (max-width: 600px) { th,td { padding:7px 8px; } th:last-child,td:last-child { display:none; } }
footer { margin-top:24px; } nav a { color:var(--accent); margin-right:12px; }
body.away main, body.away #memory { opacity:.45; }
`;
