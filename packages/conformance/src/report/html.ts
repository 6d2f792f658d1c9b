import type { TrialResult } from "../suite/run.ts";
import { badgeLine, renderBadge } from "./badge.ts";
import { isGood, type Report } from "./report.ts";

/** A page that needs nothing else: no script, no picture, no font of somebody else. */
export function renderHtml(report: Report): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${text(badgeLine(report))}</title>
<style>${STYLE}</style>
<main>
<h1>Conformance of <code>${text(report.variant)}</code></h1>
<p>${renderBadge(report)}</p>
${facts(report)}
<h2>Behaviours</h2>
${table(report)}
${list(
  "Unclaimed",
  report.unclaimed.map(({ id, title }) => `<code>${text(id)}</code>: ${text(title)}`),
)}
${list(
  "Not applicable",
  report.notApplicable.map(({ id, because }) => `<code>${text(id)}</code>: ${text(because)}`),
)}
${list(
  "Documented differences",
  report.differences.map(({ id, shows }) => `<code>${text(id)}</code>: ${text(shows)}`),
)}
${list(
  "Event logs that are not as they should be",
  report.logFailures.map((failure) => `<pre>${text(failure)}</pre>`),
)}
<h2>Evidence</h2>
${report.results.map(trial).join("\n")}
</main>
</html>
`;
}

const STYLE = `
body{font:15px/1.5 system-ui,sans-serif;color:#1c2024;background:#fff;margin:0}main{max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{padding:.2rem .7rem;text-align:left;border-bottom:1px solid #d9dde1}
.pass{background:#e3f5e6}.fail{background:#fbdedd;font-weight:600}.unclaimed{background:#fdf3d0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f5f7;padding:.6rem;margin:.4rem 0}code{font-size:.93em}
details{border-bottom:1px solid #d9dde1;padding:.3rem 0}summary{cursor:pointer;padding:.1rem .4rem}
@media(prefers-color-scheme:dark){body{color:#e6e8ea;background:#16181a}td,th,details{border-color:#3a3f44}pre{background:#22262a}
.pass{background:#173a1f}.fail{background:#57201f}.unclaimed{background:#4a3f12}}`;

const COLUMNS = [
  { title: "IPv4 cold", family: 4, temperature: "cold" },
  { title: "IPv4 warm", family: 4, temperature: "warm" },
  { title: "IPv6 cold", family: 6, temperature: "cold" },
  { title: "IPv6 warm", family: 6, temperature: "warm" },
] as const;

function facts(report: Report): string {
  const rows = {
    trials: `${report.passed} passed, ${report.failed} failed: ${isGood(report) ? "good" : "not good"}`,
    Linux: report.kernel,
    configuration: JSON.stringify(report.backendConfig),
    "Services by": report.services,
    pods: report.pods,
    tunnel: report.tunnel,
    "event logs": `${report.logs.started} agents started, ${report.logs.replayed} verified, ${report.logs.missing} not`,
    commit: report.commit,
    started: `${report.startedAt}, took ${report.seconds} s`,
  };
  return `<table>${Object.entries(rows)
    .map(([name, value]) => `<tr><th>${text(name)}<td>${text(value)}`)
    .join("\n")}</table>`;
}

function table({ results, unclaimed }: Report): string {
  const ids = [...new Set(results.map(({ id }) => id))];
  const rows = ids.map((id) => {
    const own = results.filter((result) => result.id === id);
    const cells = COLUMNS.map(({ family, temperature }) => {
      const seen = own.find((result) => result.family === family && result.temperature === temperature);
      return seen === undefined
        ? "<td>·"
        : `<td class="${verdict(seen)}"><a href="#${anchor(seen)}">${verdict(seen)}</a>`;
    });
    return `<tr><td>${text(String(own[0]?.number ?? "x"))}<td><code>${text(id)}</code>${cells.join("")}`;
  });
  const left = unclaimed.map(
    ({ number, id }) =>
      `<tr><td>${text(String(number ?? "x"))}<td><code>${text(id)}</code><td class="unclaimed" colspan="${COLUMNS.length}">unclaimed`,
  );
  const head = `<tr><th>#<th>behaviour${COLUMNS.map(({ title }) => `<th>${title}`).join("")}`;
  return `<table>${[head, ...rows, ...left].join("\n")}</table>`;
}

function trial(result: TrialResult & { readonly repeat: string }): string {
  const { number = "x", id, title, family, temperature, ms, failure, evidence, repeat, passed } = result;
  return `<details id="${anchor(result)}"${passed ? "" : " open"}>
<summary class="${verdict(result)}">${verdict(result)} ${number} <code>${text(id)}</code> IPv${family} ${temperature}: ${text(title)} (${ms} ms)</summary>
${failure === undefined ? "" : `<pre class="fail">${text(failure)}</pre>`}
<pre>${evidence.map((seen) => text(seen)).join("\n")}</pre>
<p>Alone: <code>${text(repeat)}</code></p>
</details>`;
}

const list = (title: string, items: readonly string[]): string =>
  items.length === 0 ? "" : `<h2>${title}</h2>\n<ul>${items.map((item) => `<li>${item}`).join("\n")}</ul>`;

const verdict = ({ passed }: TrialResult): string => (passed ? "pass" : "fail");
const anchor = ({ id, family, temperature }: TrialResult): string => `${id}-${family}-${temperature}`;

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
/** Whatever was seen, as text of a page. */
const text = (raw: string): string => raw.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? "");
