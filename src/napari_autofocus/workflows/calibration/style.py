"""How the report of a calibration looks: colours for light, dark and paper, one column of text, two of figures."""

STYLE = """
:root {
  --ground: #ffffff; --card: #f6f7f9; --ink: #1f2328; --faint: #69707a; --line: #d8dce2; --band: #e6e9ee;
  --before: #c2500a; --after: #0072b2; --good: #00785a; --care: #8a6100; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #16191d; --card: #1f2329; --ink: #e7eaee; --faint: #9aa3ad; --line: #363c44; --band: #2b3138;
    --before: #ff9d5c; --after: #56b4e9; --good: #2bbf8a; --care: #e3b341; --bad: #ff8a80;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 .5rem; }
p { margin: 0 0 .6rem; overflow-wrap: anywhere; }
section { margin: 0 0 1.6rem; }
.kind { color: var(--faint); margin: 0; font-size: .85rem; letter-spacing: .04em; }
.verdict { background: var(--card); border-left: .4rem solid var(--mark); border-radius: .3rem;
  padding: .8rem 1rem; --mark: var(--good); }
.verdict.care { --mark: var(--care); }
.verdict.no { --mark: var(--bad); }
.verdict p { margin: 0; font-size: 1.15rem; }
.verdict strong { color: var(--mark); font-size: 1.3rem; }
ul { margin: 0; padding-left: 1.2rem; }
ul.notes { color: var(--faint); font-size: .9rem; margin-top: .4rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .28rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--faint); font-weight: 600; font-size: .85rem; }
table.figures td + td, table.figures th + th { text-align: right; }
table.figures td { white-space: nowrap; }
table.figures td:first-child { white-space: normal; }
table.figures td:last-child { font-weight: 700; }
table.proofs { font-size: .88rem; }
table.proofs td, table.proofs th { text-align: right; padding: .2rem .45rem; white-space: nowrap; }
table.proofs td:nth-child(6), table.proofs th:nth-child(6) { text-align: left; }
table.facts td:first-child { color: var(--faint); white-space: nowrap; }
table.facts td { overflow-wrap: anywhere; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }
.grid.runs { grid-template-columns: 3fr 4fr; }
@media (max-width: 50rem) { .grid.runs { grid-template-columns: 1fr; } }
figure { margin: 0; }
.grid > * { min-width: 0; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--ink); font-size: 12px; }
svg text.small { font-size: 11px; }
svg text.title { font-size: 13px; font-weight: 600; }
svg .axes line { stroke: var(--line); stroke-width: .7; }
.legend { color: var(--faint); font-size: .88rem; margin: .7rem 0; }
.dot { display: inline-block; width: .65em; height: .65em; border-radius: 50%; margin: 0 .3em 0 .5em; }
.dot.after { background: var(--after); margin-left: 0; }
.dot.before { background: var(--before); }
.dot.hollow { border: 1.5px solid var(--faint); }
@media print {
  :root { --ground: #fff; --card: #f6f7f9; --ink: #000; --faint: #555; --line: #ccc; --band: #e6e9ee;
    --before: #c2500a; --after: #0072b2; --good: #00785a; --care: #8a6100; --bad: #b3261e; }
  @page { margin: 12mm; }
  body { font-size: 9.5pt; line-height: 1.4; }
  main { max-width: none; padding: 0; }
  figure, tr, .verdict { break-inside: avoid; }
  h2 { break-after: avoid; }
  section { margin-bottom: .9rem; }
  th, td { padding: .15rem .5rem; }
  .grid { grid-template-columns: 1fr 1fr; gap: .5rem; }
  .grid.runs { grid-template-columns: 2fr 3fr; }
  .verdict { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .scroll { overflow: visible; }
}
"""
