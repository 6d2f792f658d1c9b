import type { RedirectionPlan, Workload } from "@millrace/core";
import type { PlannedDocument } from "./shadow-document.ts";

/** What is planned for workloads, with their names. */
export function plannedWorkloads({ workloads }: RedirectionPlan, known: readonly Workload[]): PlannedDocument[] {
  const names = new Map(known.map((workload) => [workload.uid, workload]));
  return workloads.map(({ uid, objects, refused, partly }) => {
    const { namespace = "", name = uid } = names.get(uid) ?? {};
    return {
      uid,
      namespace,
      name,
      objects: [...objects],
      ...(refused !== undefined && { refused: { ...refused } }),
      ...(partly !== undefined && { partly: { ...partly } }),
    };
  });
}
