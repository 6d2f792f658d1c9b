import type { Palette } from "../cli/colour.ts";
import { table } from "../cli/table.ts";
import type { PlannedDocument, ShadowDocument } from "./shadow-document.ts";

/** `plan`: every object that would be written, too. */
export function renderShadow(document: ShadowDocument, palette: Palette, { plan }: { readonly plan: boolean }): string {
  const { shadow, active, since, problem, shared, refused, workloads, comparisons, differences } = document;
  if (shadow === "off") return "shadow: off (set `shadow` to ebpf or iptables)\n";
  const counting = since === undefined ? "plans only" : `counts since ${since}`;
  const rows = workloads.flatMap(({ namespace, name, counts = [] }) =>
    counts.map(({ direction, verdict, fate, connections, packets }) => [
      `${namespace}/${name}`,
      direction,
      fate,
      verdict,
      String(connections),
      String(packets),
    ]),
  );
  const sections = [
    `shadow: ${palette.bold(shadow)}, beside ${active ?? "nothing that serves yet"}; ${counting}\n`,
    ...(problem === undefined ? [] : [`${palette.warn("problem:")} ${problem}\n`]),
    ...refused.map(({ code, message }) => `${palette.warn("would be refused:")} ${code}: ${message}\n`),
    ...workloads.flatMap(({ problems, namespace, name }) =>
      problems.map((what) => `${palette.warn("not all is counted:")} ${namespace}/${name}: ${what}\n`),
    ),
    `would write: ${shared.length} objects that are shared, ${workloads.map(summaryOf).join(", ") || "no member's"}\n`,
    ...(plan ? [...shared.map((object) => `  ${object}\n`), ...workloads.map(planOf)] : []),
    rows.length === 0 ? "" : `\n${table(COLUMNS, rows)}`,
    comparisons.length === 0 ? "" : "\n",
    ...comparisons.map(
      ({ what, shadow: own, active: its, counter }) =>
        `${what}: ${own} by the shadow, ${its ?? "not known"} by ${active} (${counter})\n`,
    ),
    differences.length === 0 ? "no differences\n" : "\n",
    ...differences.map((difference) => `${palette.warn("differs:")} ${difference}\n`),
  ];
  return sections.join("");
}

const COLUMNS = [
  { title: "POD" },
  { title: "DIRECTION" },
  { title: "WOULD BE" },
  { title: "VERDICT" },
  { title: "CONNECTIONS", align: "right" },
  { title: "PACKETS", align: "right" },
] as const;

const summaryOf = ({ namespace, name, objects, refused }: PlannedDocument): string =>
  `${refused === undefined ? objects.length : "none"} for ${namespace}/${name}`;

function planOf({ namespace, name, objects, refused, partly }: PlannedDocument): string {
  const reasons = [refused, partly].flatMap((why) => (why === undefined ? [] : [`${why.code}: ${why.message}`]));
  return [`  ${namespace}/${name}`, ...reasons, ...objects].join("\n    ").concat("\n");
}
