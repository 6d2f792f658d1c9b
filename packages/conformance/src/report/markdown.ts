import type { Behaviour } from "../suite/behaviour.ts";
import type { TrialResult } from "../suite/run.ts";
import { headline, type Report } from "./report.ts";

/** What the table needs of a {@link Report}. */
export type TableReport = Pick<
  Report,
  "variant" | "services" | "pods" | "kernel" | "commit" | "startedAt" | "notApplicable"
> & {
  readonly unclaimed: readonly Pick<Report["unclaimed"][number], "id" | "number">[];
  readonly results: readonly Pick<TrialResult, "id" | "number" | "family" | "temperature" | "passed">[];
};

const COLUMNS = [
  { title: "IPv4 cold", family: 4, temperature: "cold" },
  { title: "IPv4 warm", family: 4, temperature: "warm" },
  { title: "IPv6 cold", family: 6, temperature: "cold" },
  { title: "IPv6 warm", family: 6, temperature: "warm" },
] as const;

/**
 * Every behaviour there is, with whether the backend claims it and what each trial showed, in Markdown: for a README or a page of documentation. `reports` are of one run, or of
 * several that were each a part of one; of a trial that is in more than one of them the last counts. `·`: not meant for that; "not run": in none of them.
 */
export function renderMarkdown(reports: readonly TableReport[], behaviours: readonly Behaviour[]): string {
  const trials = new Map(
    reports.flatMap(({ results }) => results).map((result) => [keyOf(result.id, result), result] as const),
  );
  const results = [...trials.values()];
  const unclaimed = reports.flatMap((report) => report.unclaimed);
  const others = new Map(reports.flatMap(({ notApplicable }) => notApplicable).map(({ id, because }) => [id, because]));
  const rows = behaviours.map((behaviour) => {
    const { id, number } = behaviour;
    const cell = (column: (typeof COLUMNS)[number]): string => {
      if (!isMeant(behaviour, column)) return "·";
      const result = trials.get(keyOf(id, column));
      return result === undefined ? "not run" : result.passed ? "passed" : "**failed**";
    };
    const isUnclaimed = unclaimed.some((one) => one.id === id);
    const cells =
      others.has(id) || isUnclaimed
        ? [others.has(id) ? "does not apply" : "no", ...COLUMNS.map(() => "–")]
        : ["yes", ...COLUMNS.map(cell)];
    return [number ?? "", `\`${id}\``, ...cells];
  });
  const head = ["", "behaviour", "claimed", ...COLUMNS.map(({ title }) => title)];
  const passed = results.filter((result) => result.passed).length;
  return [
    ...[head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`),
    "",
    ...[...others].map(([id, because]) => `- \`${id}\` does not apply: ${because}.`),
    ...(others.size > 0 ? [""] : []),
    `${headline(results, unclaimed)}, ${passed} trials passed, ${results.length - passed} failed. ${reports.map(subjectOf).filter(isFirst).join(" ")}`,
    "",
  ].join("\n");
}

const keyOf = (id: string, { family, temperature }: Pick<TrialResult, "family" | "temperature">): string =>
  `${id} ${family} ${temperature}`;

const isMeant = ({ families, temperatures }: Behaviour, { family, temperature }: (typeof COLUMNS)[number]): boolean =>
  families?.includes(family) !== false && temperatures?.includes(temperature) !== false;

const subjectOf = ({ variant, services, pods, kernel, commit, startedAt }: TableReport): string =>
  `\`${variant}\`, Services by ${services}, pods ${pods}, Linux \`${kernel}\`, ${startedAt.slice(0, 10)}, commit \`${commit}\`.`;

const isFirst = (text: string, index: number, all: readonly string[]): boolean => all.indexOf(text) === index;
