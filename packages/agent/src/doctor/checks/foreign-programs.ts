import { type AttachedProgram, attachedPrograms, isOurs } from "../../kernel/attached-programs.ts";
import type { Check, Finding } from "../check.ts";

/** Programs of others on pods' interfaces: they run after ours and see everything but members' TCP. */
export function foreignProgramFindings(programs: readonly AttachedProgram[]): readonly Finding[] {
  const name = "foreign programs";
  const foreign = programs.filter((program) => !isOurs(program));
  if (foreign.length === 0) return [{ name, state: "good", detail: "no tc or tcx program of others on a veth" }];
  const byProgram = Map.groupBy(
    foreign,
    (program) => `${program.name || "(no name)"} by ${program.by} ${program.direction}`,
  );
  return [...byProgram].map(([what, where]) => ({
    name,
    state: "warn",
    detail:
      `${what} on ${where[0]?.interface}${where.length > 1 ? ` and ${where.length - 1} more` : ""}: ` +
      "stays attached behind ours, and no longer sees the TCP of members",
  }));
}

export const foreignPrograms: Check = () => foreignProgramFindings(attachedPrograms());
