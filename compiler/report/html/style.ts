/** How the page looks: on light and dark screens, narrow ones, and paper. Blue and vermilion are told apart with any colour vision, and never stand without a word. */
export const style: string = `
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --dim: #57606a; --line: #d5dae0; --soft: #f4f6f8; --blue: #0067a3; --bars: #5b8fb9; --red: #bf4b00; --lost: #bf4b0026; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --text: #e3e7ec; --dim: #9aa4af; --line: #343b44; --soft: #1d2228; --blue: #6bb5ea; --bars: #4f86b3; --red: #ff9a4d; --lost: #ff9a4d33; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 76rem; background: var(--page); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; } h4 { font-size: .9rem; margin: .9rem 0 .2rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; } a { color: var(--blue); } code { font: .85em ui-monospace, monospace; overflow-wrap: anywhere; }
small, .note, .detail { color: var(--dim); font-size: .85rem; } .note { max-width: 50rem; } b { font-weight: 600; }
bdi { overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: .6rem; margin: 1.2rem 0 0; }
.cards div { background: var(--soft); border-radius: 6px; padding: .6rem .8rem; } .cards dt { color: var(--dim); font-size: .85rem; } .cards dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; } .cards .detail { font-size: .8rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; } th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); } th { font-weight: 600; } thead th { color: var(--dim); font-weight: 400; font-size: .85rem; }
#float td:nth-child(2) { min-width: 14rem; } #float th, #steps th, #evaluation th { white-space: nowrap; } #files th { font-weight: 400; overflow-wrap: anywhere; } #steps td:nth-child(2), #float td:nth-child(5) { min-width: 14rem; } td summary { color: var(--dim); font-size: .85rem; cursor: pointer; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.warnings { margin: .2rem 0; padding-left: 1.2rem; } .warnings li { margin: .4rem 0; overflow-wrap: anywhere; }
.store { position: absolute; }
.controls { display: flex; flex-wrap: wrap; gap: .5rem .9rem; align-items: center; margin: .8rem 0; } .controls[hidden] { display: none; } .controls label { color: var(--dim); font-size: .85rem; } .controls input, .controls select, .controls button { font: inherit; }
.controls output { color: var(--dim); font-size: .85rem; }
.list summary, .head { display: grid; grid-template-columns: 3rem minmax(8rem, 3fr) minmax(9rem, 3fr) 6rem 8.5rem 11rem; gap: 0 .8rem; padding: .35rem .3rem; align-items: start; }
.plain summary, .plain .head { grid-template-columns: 3rem 1fr; } .plain .head span:nth-child(n + 3) { display: none; }
.head { position: sticky; top: 0; z-index: 1; background: var(--page); color: var(--dim); font-size: .85rem; border-bottom: 1px solid var(--line); } .head span:nth-child(4), .head span:nth-child(5) { text-align: right; }
.list details { border-bottom: 1px solid var(--line); content-visibility: auto; contain-intrinsic-size: auto 3.2rem; scroll-margin-top: 2rem; } .list details[hidden] { display: none; }
.list summary { cursor: pointer; list-style: none; } .list summary::-webkit-details-marker { display: none; } .list summary:hover, .list [open] summary { background: var(--soft); }
.list summary span:nth-child(1) { color: var(--dim); font-variant-numeric: tabular-nums; } .list summary span:nth-child(1)::before { content: "▸ "; } .list [open] summary span:nth-child(1)::before { content: "▾ "; }
.list summary span:nth-child(2) small { display: block; } .list summary span:nth-child(3) small { overflow-wrap: anywhere; }
.list summary span:nth-child(4), .list summary span:nth-child(5) { text-align: right; font-variant-numeric: tabular-nums; }
.list i { display: block; height: 4px; margin-top: .25rem; background: linear-gradient(var(--blue) 0 0) 0 / var(--w) 100% no-repeat var(--line); } .list summary span:nth-child(5) i { background-image: linear-gradient(var(--red) 0 0); }
.list summary svg { display: block; width: 100%; height: 2.4rem; --grid: transparent; }
.int8, .float { font-size: .8rem; padding: 0 .35rem; border: 1px solid; border-radius: 4px; } .int8 { color: var(--page); background: var(--blue); border-color: var(--blue); } .float { color: var(--red); border-style: dashed; }
.list details > div { padding: .2rem .3rem 1rem 4.1rem; font-size: .9rem; overflow-wrap: anywhere; } .list ul { margin: .2rem 0; padding-left: 1.2rem; font-size: .85rem; }
.bars { fill: var(--bars); } .lost { fill: var(--lost); } path.bound, .grid { fill: none; vector-effect: non-scaling-stroke; } path.bound { stroke: var(--red); stroke-width: 2; } .grid { stroke: var(--grid, var(--line)); }
.plot { max-width: 46rem; margin: .3rem 0; } .plot > div { position: relative; height: 1.3rem; font-size: .8rem; font-variant-numeric: tabular-nums; color: var(--dim); } .plot > :nth-child(2) { height: auto; border-bottom: 1px solid var(--dim); } .plot svg { display: block; width: 100%; height: 8rem; }
.plot span { position: absolute; padding: 0 .2rem; white-space: nowrap; } span.bound { color: var(--red); } .plot .zero { transform: translateX(-50%); }
.plot .tick, .profile .tick { position: absolute; left: 0; transform: translateY(-50%); color: var(--dim); font-size: .75rem; line-height: 1; padding: .1rem .2rem; } .plot .tick { background: var(--page); border-radius: 2px; } .tick sup { line-height: 0; }
.profile { position: relative; padding-left: 2.2rem; margin: .8rem 0; } .profile svg { display: block; width: 100%; height: 11rem; overflow: visible; } .dot, .ring { fill: none; stroke-linecap: round; vector-effect: non-scaling-stroke; } .dot { stroke: var(--blue); stroke-width: 6; } .ring { stroke: var(--red); stroke-width: 13; }
.stayed { fill: var(--bars); } .gone { fill: var(--red); } .key svg { width: .7em; height: .7em; } section > details > summary { cursor: pointer; color: var(--dim); margin: .3rem 0; } h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
.multiples { display: block; font-size: 12px; } .multiples text { fill: var(--text); } .multiples .dim, .multiples .row { fill: var(--dim); } .multiples .row { text-anchor: end; font-size: 9px; }
.groups { margin: .6rem 0; } .groups details { border-bottom: 1px solid var(--line); content-visibility: auto; contain-intrinsic-size: auto 2.1rem; font-size: .9rem; overflow-wrap: anywhere; } .groups summary { cursor: pointer; padding: .3rem; } .groups summary:hover, .groups [open] summary { background: var(--soft); }
.norms { max-width: 46rem; border-bottom: 1px solid var(--dim); } .norms svg { display: block; width: 100%; height: 6rem; }
.worst { margin: .4rem 0; padding-left: 1.4rem; }
@media screen and (max-width: 48rem) {
  .list summary { grid-template-columns: 3rem 1fr 1fr; } .head { display: none; } .list summary span:nth-child(2), .list summary span:nth-child(3), .list summary span:nth-child(6) { grid-column: 2 / -1; } .list summary span:nth-child(6) { margin-top: .3rem; }
  .list summary span:nth-child(4) { grid-column: 2; text-align: left; } .list summary span:nth-child(5) { grid-column: 3; text-align: left; } .list details > div { padding-left: .3rem; }
  .list summary span:nth-child(4):not(:empty)::before { content: "MACs "; color: var(--dim); } .list summary span:nth-child(5):not(:empty)::before { content: "SQNR "; color: var(--dim); }
}
@media print {
  :root { color-scheme: light; --page: #fff; --text: #000; --dim: #444; --line: #bbb; --soft: #fff; --blue: #0067a3; --bars: #5b8fb9; --red: #bf4b00; --lost: #bf4b0026; }
  body { font-size: 10pt; padding: 0; max-width: none; } .controls { display: none; } .list summary span:nth-child(1)::before { content: none !important; } .head { position: static; } .list details, .groups details { break-inside: avoid; content-visibility: visible; } * { print-color-adjust: exact; } .list summary, .head { grid-template-columns: 1.6rem 3fr 3fr 4rem 6.6rem 6rem; gap: 0 .5rem; font-size: 9pt; } h2, h4 { break-after: avoid; } tr { break-inside: avoid; }
}
`;
