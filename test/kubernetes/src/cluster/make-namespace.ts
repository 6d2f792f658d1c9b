import type { ApiClient } from "../control-plane/api-client.ts";
import { namespaceObject } from "./objects.ts";

/** With the account `default`, which kube-controller-manager would make, and without which no pod is admitted. */
export async function makeNamespace(
  api: ApiClient,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  await api.create(namespaceObject(name, labels));
  await api.create({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace: name } });
}
