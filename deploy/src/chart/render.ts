import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { helm } from "./helm.ts";
import { CHART, NAMESPACE, profileFile } from "./places.ts";

/** The oldest Kubernetes that Chart.yaml allows: what renders for it must not depend on which one Helm was built with. */
const KUBE_VERSION = "1.30.0";

export interface Rendering {
  readonly profile?: string | undefined;
  /** As of `--set-json`: `{ "cni.ownConfig": true }`. */
  readonly values?: Readonly<Record<string, unknown>>;
  readonly namespace?: string;
  readonly kubeVersion?: string;
  /** With the Pods of `helm test`. */
  readonly tests?: boolean;
}

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

/** A Kubernetes object as the chart makes it; `z.looseObject`, so that tests may look into it. */
export type KubernetesObject = z.output<typeof objectSchema>;

/** What `helm template` prints. Throws ERR_HELM_REFUSED with the chart's own words where values do not fit. */
export function renderText(rendering: Rendering = {}): string {
  const { profile, values = {}, namespace = NAMESPACE, kubeVersion = KUBE_VERSION, tests = false } = rendering;
  const set = Object.entries(values).flatMap(([path, value]) => ["--set-json", `${path}=${JSON.stringify(value)}`]);
  return helm(
    ...["template", "millrace", CHART, "--namespace", namespace, "--kube-version", kubeVersion],
    ...(tests ? [] : ["--skip-tests"]),
    ...(profile === undefined ? [] : ["--values", profileFile(profile)]),
    ...set,
  );
}

/** The same as objects, in the order of installation. YAML with a mistake throws, a key that is there twice included. */
export function render(rendering: Rendering = {}): KubernetesObject[] {
  return parseObjects(renderText(rendering));
}

export function parseObjects(text: string): KubernetesObject[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return []; // an empty stream
  return documents.flatMap((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw problem;
    const value: unknown = document.toJS();
    return value === null ? [] : [objectSchema.parse(value)];
  });
}
