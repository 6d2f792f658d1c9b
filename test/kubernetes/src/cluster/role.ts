import { NAMESPACE } from "@millrace/deploy";
import type { ApiClient } from "../control-plane/api-client.ts";

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const role = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name: `millrace-agent-${NAMESPACE}` },
};

/** What the agent may, by the chart's role. */
export async function rulesOf(api: ApiClient): Promise<readonly Rule[]> {
  return (await api.get(role)).rules as Rule[];
}

export async function setRules(api: ApiClient, rules: readonly Rule[]): Promise<void> {
  await api.patch(role, { rules });
}

/** The rules without one verb on one resource. */
export const without = (rules: readonly Rule[], verb: string, resource: string): Rule[] =>
  rules.flatMap((rule) => {
    if (!rule.resources.includes(resource)) return [rule];
    const others = { ...rule, resources: rule.resources.filter((name) => name !== resource) };
    const rest = { ...rule, resources: [resource], verbs: rule.verbs.filter((name) => name !== verb) };
    return [others, rest].filter(({ resources, verbs }) => resources.length > 0 && verbs.length > 0);
  });
