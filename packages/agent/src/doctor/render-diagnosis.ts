import type { Feature } from "@millrace/core";
import type { Palette } from "../cli/colour.ts";
import { table } from "../cli/table.ts";
import type { CheckState } from "./check.ts";
import type { BackendDiagnosis, Diagnosis } from "./diagnosis.ts";

const columns = (...titles: string[]) => titles.map((title) => ({ title }));

const FINDING: Readonly<Record<CheckState, readonly [mark: string, paint: keyof Palette]>> = {
  good: ["ok", "good"],
  note: ["note", "dim"],
  warn: ["warning", "warn"],
  bad: ["bad", "bad"],
  unknown: ["unknown", "warn"],
};

function featureMark(feature: Feature, palette: Palette): string {
  if (feature.available) return palette.good("yes");
  return feature.required ? palette.bad("NO") : palette.warn("no");
}

function backendPart({ name, description, probe, error }: BackendDiagnosis, palette: Palette): string {
  const title = `${palette.bold(`Backend ${name}`)}: ${description}\n`;
  if (probe === undefined) {
    return `${title}${palette.bad("could not be probed")}: ${error?.code ?? "ERR_UNEXPECTED"}: ${error?.message ?? "no reason given"}\n`;
  }
  const verdict = probe.capable ? palette.good("capable") : palette.bad("not capable");
  const rows = probe.features.map((feature) => [
    featureMark(feature, palette),
    feature.name,
    feature.required ? "required" : "optional",
    feature.description,
    feature.detail,
  ]);
  return `${title}${table(columns("HERE", "FEATURE", "NEED", "FOR", "DETAIL"), rows)}${verdict}: ${probe.summary}\n`;
}

function selectionPart({ selection }: Diagnosis, palette: Palette): string {
  const { mode, backend, reason } = selection;
  const choice = backend === undefined ? palette.bad("takes no backend") : `takes ${palette.good(backend)}`;
  return `redirectMode ${mode} ${choice}: ${reason}\n`;
}

/** A diagnosis for people: the host, then every backend, then the choice. */
export function renderDiagnosis(diagnosis: Diagnosis, palette: Palette): string {
  const rows = diagnosis.host.map(({ name, state, detail }) => {
    const [mark, paint] = FINDING[state];
    return [palette[paint](mark), name, detail];
  });
  const host = `${palette.bold("Host")}\n${table(columns("STATE", "CHECK", "DETAIL"), rows)}`;
  return [
    host,
    ...diagnosis.backends.map((backend) => backendPart(backend, palette)),
    selectionPart(diagnosis, palette),
  ].join("\n");
}
