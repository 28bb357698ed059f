/* SPDX-License-Identifier: MIT */
/* The style sheet of all pages. The colours of series are Okabe and Ito's, which people with any
 * colour vision can tell apart, darkened on white and lightened on black until text-like contrast
 * (3:1 and more); dashes tell them apart in print too. No '<' and no '&': the page is XML as well.
 */
#include "base/html.h"

#define COLOURS_LIGHT                                                                              \
    "--paper:#f5f4f0;--card:#fff;--ink:#1c2126;--soft:#59626b;--line:#dbd8d1;--grid:#e8e5df;"      \
    "--s1:#0072b2;--s2:#c8500a;--s3:#00805e;--s4:#a3488c;--s5:#5d6670;--bad:#b3261e;"

const char *const fn_html_style[] = {
    ":root{color-scheme:light dark;" COLOURS_LIGHT "}\n",
    "@media (prefers-color-scheme:dark){:root{--paper:#121518;--card:#1b1f23;--ink:#e8eaec;"
    "--soft:#a5adb5;--line:#353c43;--grid:#2b3137;--s1:#5cb8f2;--s2:#f59b4f;--s3:#3fcfa1;"
    "--s4:#e596d2;--s5:#aab2ba;--bad:#ff8f85;}}\n",
    "*{box-sizing:border-box}\n",
    "html{-webkit-text-size-adjust:100%}\n",
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"
    "\"Segoe UI\",Roboto,\"Helvetica Neue\",\"DejaVu Sans\",sans-serif}\n",
    "main{max-width:1152px;margin:0 auto;padding:24px 16px 40px}\n",
    "h1{font-size:1.9rem;line-height:1.2;margin:0;overflow-wrap:anywhere}\n",
    "h2{font-size:1.3rem;line-height:1.3;margin:0}\n",
    "h3{font-size:1rem;line-height:1.35;margin:0;overflow-wrap:anywhere}\n",
    "p{margin:0}\n",
    ".kind{color:var(--s1);font-weight:600}\n",
    ".lead{color:var(--soft);max-width:72ch;margin-top:4px;overflow-wrap:anywhere}\n",
    "section{margin-top:40px}\n",
    ".tiles{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(148px,1fr));"
    "margin:20px 0 0}\n",
    ".tiles div,.card{background:var(--card);border:1px solid var(--line);border-radius:10px}\n",
    ".tiles div{padding:12px 16px}\n",
    ".tiles dt{color:var(--soft);font-size:.875rem}\n",
    ".tiles dd{margin:0;font-size:1.5rem;font-weight:600;line-height:1.3}\n",
    ".tiles dd span{display:block;font-size:.875rem;font-weight:400;color:var(--soft)}\n",
    ".grid{display:grid;gap:16px;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),"
    "1fr));align-items:start;margin-top:16px}\n",
    ".grid.three{grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr))}\n",
    ".card{margin:16px 0 0;padding:16px;min-width:0}\n",
    ".grid .card{margin:0}\n",
    ".card p{color:var(--soft);font-size:.875rem;line-height:1.4;margin-top:2px}\n",
    ".chart{display:block;width:100%;height:auto;margin-top:10px;overflow:visible}\n",
    ".chart text{fill:var(--soft);font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,"
    "\"DejaVu Sans\",sans-serif}\n",
    ".chart .v{fill:var(--ink)}\n",
    ".g{stroke:var(--grid);stroke-width:1;fill:none}\n",
    ".b{stroke:var(--soft);stroke-width:1;fill:none}\n",
    ".l{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}\n",
    ".m{fill:none;stroke:var(--ink);stroke-width:1.25;stroke-dasharray:5 4}\n",
    ".m1{stroke:var(--soft);stroke-dasharray:1.5 3}\n",
    ".raw{stroke-width:1;stroke-opacity:.4}\n",
    ".area{fill-opacity:.22;stroke-width:1.75}\n",
    ".band{fill-opacity:.16;stroke:none}\n",
    ".l.s1,.l.area.s1{stroke:var(--s1)}.s1.f,.area.s1,.band.s1{fill:var(--s1)}\n",
    ".l.s2{stroke:var(--s2);stroke-dasharray:7 3}.s2.f,.area.s2,.band.s2{fill:var(--s2)}\n",
    ".l.s3{stroke:var(--s3);stroke-dasharray:3 3}.s3.f,.area.s3,.band.s3{fill:var(--s3)}\n",
    ".l.s4{stroke:var(--s4);stroke-dasharray:9 3 2 3}.s4.f,.area.s4,.band.s4{fill:var(--s4)}\n",
    ".l.s5{stroke:var(--s5);stroke-dasharray:1 4}.s5.f,.area.s5,.band.s5{fill:var(--s5)}\n",
    ".l.raw{stroke-dasharray:none}\n",
    ".f{stroke:none}\n",
    ".legend{display:flex;flex-wrap:wrap;gap:2px 16px;list-style:none;margin:8px 0 0;padding:0;"
    "font-size:.875rem}\n",
    ".legend svg{width:28px;height:12px;margin-right:6px;vertical-align:-1px}\n",
    "details{margin-top:8px;font-size:.875rem}\n",
    "summary{color:var(--soft);cursor:pointer;width:max-content}\n",
    ".scroll{overflow-x:auto;margin-top:8px}\n",
    "table{border-collapse:collapse;font-size:.875rem;width:100%}\n",
    "caption{text-align:left;font-weight:600;padding:0 0 4px}\n",
    "th,td{text-align:left;padding:4px 16px 4px 0;border-bottom:1px solid var(--line);"
    "vertical-align:top}\n",
    "th:last-child,td:last-child{padding-right:0}\n",
    "th{font-weight:600;color:var(--soft)}\n",
    "td{overflow-wrap:break-word}\n",
    "td:last-child{overflow-wrap:anywhere}td:last-child bdi{display:block;min-width:10em}\n",
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n",
    ".bars td{vertical-align:middle;overflow-wrap:normal}\n",
    ".bars th{font-weight:400;color:var(--ink);white-space:nowrap}\n",
    ".bars td:last-child{width:55%}\n",
    ".bars svg{display:block;width:100%;height:14px}\n",
    ".facts{margin:0}\n",
    ".facts div{display:grid;grid-template-columns:minmax(96px,32%) 1fr;gap:12px;padding:5px 0;"
    "border-bottom:1px solid var(--line);font-size:.875rem}\n",
    ".facts div:last-child{border-bottom:0}\n",
    ".facts dt{color:var(--soft)}\n",
    ".facts dd{margin:0;overflow-wrap:anywhere}\n",
    ".many .facts{columns:3 300px;column-gap:32px}.many .facts "
    "div{break-inside:avoid;grid-template-columns:"
    "minmax(0,1.3fr) minmax(0,1fr)}.many dt{overflow-wrap:anywhere}\n",
    "code{font:13px/1.5 ui-monospace,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;"
    "overflow-wrap:anywhere}\n",
    ".faces{display:grid;gap:10px;grid-template-columns:repeat(auto-fill,minmax(84px,1fr));"
    "margin-top:12px}\n",
    ".faces figure,.pair figure{margin:0;min-width:0}\n",
    ".faces img,.pair img{display:block;width:100%;height:auto;aspect-ratio:1;object-fit:contain;"
    "background:var(--grid);border-radius:6px}\n",
    ".faces figcaption,.pair figcaption{font-size:.75rem;line-height:1.35;margin-top:3px;"
    "overflow-wrap:anywhere}\n",
    ".faces figcaption span{display:block;color:var(--soft)}\n",
    ".pairs{display:grid;gap:16px;grid-template-columns:repeat(auto-fill,minmax(min(100%,250px),"
    "1fr));margin-top:12px}\n",
    ".pair{display:grid;grid-template-columns:1fr 1fr;gap:8px;margin:0;align-content:start}\n",
    ".pair .say{grid-column:1/-1;margin:0;font-size:.875rem;color:var(--ink)}\n",
    ".bad{color:var(--bad);font-weight:600}\n",
    "footer{margin-top:40px;color:var(--soft);font-size:.875rem}\n",
    "@media (max-width:520px){.chart text{font-size:13.5px}}\n",
    "@media print{:root{color-scheme:light;" COLOURS_LIGHT
    "--paper:#fff}body{font-size:12px}main{max-width:none;padding:0}details{display:none}"
    ".card,.tiles div,figure,tr{break-inside:avoid}h2,h3{break-after:avoid}"
    "section{margin-top:24px}.grid{grid-template-columns:1fr 1fr}}\n",
    NULL};
