import { z } from "zod";

const requirement = z.object({ key: z.string(), operator: z.string(), values: z.array(z.string()).default([]) });
type Requirement = z.output<typeof requirement>;

const term = z.object({
  matchExpressions: z.array(requirement).default([]),
  matchFields: z.array(requirement).default([]),
});

/** The part of a pod template that says which nodes it may run on, whatever their taints. */
export const placement = z.object({
  nodeSelector: z.record(z.string(), z.string()).default({}),
  affinity: z
    .object({
      nodeAffinity: z
        .object({
          requiredDuringSchedulingIgnoredDuringExecution: z.object({ nodeSelectorTerms: z.array(term) }).optional(),
        })
        .optional(),
    })
    .optional(),
});
export type Placement = z.output<typeof placement>;

/**
 * Whether pods of this placement may run on a node, as the scheduler and the DaemonSet controller see it: all of `nodeSelector`, and any term of
 * the required affinity (k8s.io/component-helpers `scheduling/corev1/nodeaffinity`). An operator that is not known counts as met: what is
 * decided by this must rather stay than go.
 */
export function selectsNode(
  { nodeSelector, affinity }: Placement,
  name: string,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (Object.entries(nodeSelector).some(([key, value]) => labels[key] !== value)) return false;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (terms === undefined) return true;
  const fields = { "metadata.name": name };
  return terms.some(({ matchExpressions, matchFields }) => {
    // A term without anything selects nothing.
    if (matchExpressions.length + matchFields.length === 0) return false;
    return matchExpressions.every((one) => isMet(one, labels)) && matchFields.every((one) => isMet(one, fields));
  });
}

function isMet({ key, operator, values }: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[key];
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return value !== undefined && Number(value) > Number(values[0]);
    case "Lt":
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return true;
  }
}
