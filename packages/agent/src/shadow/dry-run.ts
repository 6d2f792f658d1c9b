import { CoreError } from "@millrace/core/internal";
import { AgentError } from "../errors.ts";
import type { SwitchAnswer } from "../status/switch-document.ts";

/** What a switch would do, one line each: what the backend lacks, its steps, and what it would refuse, pod by pod. */
export function renderDryRun({ steps, lacks, refused, workloads = [] }: SwitchAnswer): string {
  const lines = [
    ...lacks.map((what) => `lacks: ${what}`),
    ...refused.map((why) => `would be refused: ${why}`),
    ...workloads.flatMap(({ namespace, name, objects, refused: whole, partly }) => {
      const why = whole ?? partly;
      const so = whole === undefined ? "in part: " : "";
      if (why !== undefined) return [`would be refused: ${namespace}/${name}: ${so}${why.code}: ${why.message}`];
      return [`would write: ${objects.length} objects for ${namespace}/${name}`];
    }),
    ...steps.map((step) => `would: ${step}`),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** Throws `ERR_NO_CAPABLE_BACKEND` where the backend cannot serve here, `ERR_SWITCH_WOULD_FAIL` where a step of the switch would fail. */
export function requirePossible({ to, summary, lacks, refused, workloads = [] }: SwitchAnswer): void {
  if (lacks.length > 0) {
    throw new CoreError("ERR_NO_CAPABLE_BACKEND", `${to} cannot keep the contract on this host: ${summary}`);
  }
  const failing = workloads.flatMap(({ namespace, name, refused: whole, partly }) => {
    const why = whole ?? partly;
    return why === undefined ? [] : [`${namespace}/${name}: ${why.code}: ${why.message}`];
  });
  const [first, ...more] = [...refused, ...failing];
  if (first === undefined) return;
  const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
  throw new AgentError("ERR_SWITCH_WOULD_FAIL", `a switch to ${to} would fail: ${first}${others}`);
}
