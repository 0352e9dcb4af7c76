/** The look of the fidelity page: light and dark, on a phone and on paper. */
export const fidelityStyles = `
:root{--page:#f6f7f9;--paper:#fff;--ink:#16202e;--soft:#5b6777;--line:#e3e7ed;--track:#eef1f5;--accent:#2f6fed;
--good:#0f7b4f;--good-bg:#e3f5ec;--near:#8a5a00;--near-bg:#fdf1d8;--off:#b3261e;--off-bg:#fde7e5;
--h0:#8a94a6;--h1:#b4731a;--h2:#7a4fd0;--h3:#2f6fed;--h4:#0f8f7a;--h5:#c23a7a}
@media(prefers-color-scheme:dark){:root{--page:#0e131a;--paper:#161d27;--ink:#e8edf4;--soft:#98a5b6;--line:#263140;--track:#202a37;
--accent:#6ea0ff;--good:#5fd6a0;--good-bg:#12352a;--near:#f0bd5e;--near-bg:#3a2c10;--off:#ff8f86;--off-bg:#43201e;
--h0:#8d99ab;--h1:#e3a04a;--h2:#ad8bf5;--h3:#6ea0ff;--h4:#45c9b0;--h5:#f07fb3}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:820px;margin:0 auto;padding:28px 16px 64px}
header,section{background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:20px 22px;margin:0 0 16px}
.eyebrow{margin:0;color:var(--soft);font-size:13px;letter-spacing:.04em}
h1{font-size:26px;line-height:1.2;margin:2px 0 6px;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
h2{font-size:17px;margin:0 0 12px}h2 small{font-weight:400;font-size:13px;color:var(--soft);margin-left:6px;white-space:nowrap}
h2.part{margin:32px 4px 12px;font-size:20px}
h3{font-size:16px;margin:0 0 6px;display:flex;justify-content:space-between;align-items:center;gap:12px}
.outcome{font-size:18px;margin:0 0 16px}
.facts{display:flex;flex-wrap:wrap;gap:10px 28px;margin:0 0 18px}.facts dt{font-size:12px;color:var(--soft)}
.facts dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums}
.verdicts{list-style:none;margin:0;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:6px}
.verdicts a{display:flex;justify-content:space-between;align-items:center;gap:8px;padding:7px 10px;border-radius:9px;
background:var(--track);color:var(--ink);text-decoration:none;font-size:14px}
.verdicts a:hover,.verdicts a:focus-visible{outline:2px solid var(--accent)}
.badge{font-size:12px;font-weight:600;padding:1px 8px;border-radius:99px;white-space:nowrap}
.matches .badge{color:var(--good);background:var(--good-bg)}.near .badge{color:var(--near);background:var(--near-bg)}
.off .badge{color:var(--off);background:var(--off-bg)}
.numbers{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 6px;color:var(--soft);font-size:13px;font-variant-numeric:tabular-nums}
.note{margin:0 0 8px;color:var(--soft);font-size:14px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:12px system-ui,sans-serif;fill:var(--soft);font-variant-numeric:tabular-nums}svg text.ink{fill:var(--ink)}
.cell,.bar{fill:var(--accent)}.shadow{fill:var(--soft);opacity:.55}.track{fill:var(--track)}
.grid{stroke:var(--line)}.mark{stroke:var(--ink);stroke-dasharray:3 3;opacity:.7}
.line{stroke-width:2.5;stroke-linejoin:round}.line.declared{stroke-width:1.5;stroke-dasharray:5 4;opacity:.75}
${[0, 1, 2, 3, 4, 5].map((hue) => `.line.hue${hue}{stroke:var(--h${hue})}svg text.hue${hue}{fill:var(--h${hue});font-weight:600}`).join('\n')}
details{margin-top:8px}summary{cursor:pointer;color:var(--soft);font-size:14px}
.scroll{max-height:320px;overflow:auto;margin-top:8px}table{border-collapse:collapse;font-size:14px;width:100%}
th,td{padding:4px 8px;border-bottom:1px solid var(--line);text-align:left;font-variant-numeric:tabular-nums}
td,thead th:not(:first-child){text-align:right}th[scope=row]{font-weight:400;overflow-wrap:anywhere}
.how p{margin:0 0 8px;color:var(--soft);font-size:14px}ul{margin:0;padding-left:20px}
@media(max-width:560px){main{padding:12px 10px 40px}header,section{padding:16px 14px;border-radius:12px}
svg text{font-size:17px}}
@media print{body{background:#fff}header,section{break-inside:avoid}}
`
