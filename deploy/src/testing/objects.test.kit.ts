import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { CHART } from "../chart/places.ts";
import type { KubernetesObject } from "../chart/render.ts";

/** The one object of that kind, and of that name where there are several. */
export function only(objects: readonly KubernetesObject[], kind: string, name?: string): KubernetesObject {
  const found = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found.length !== 1)
    throw new Error(`${found.length} objects of kind ${kind}${name === undefined ? "" : ` called ${name}`}`);
  return found[0] as KubernetesObject;
}

const capabilities = z.object({ drop: z.array(z.string()).default([]), add: z.array(z.string()).default([]) });

const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  securityContext: z.looseObject({
    privileged: z.boolean().optional(),
    readOnlyRootFilesystem: z.boolean(),
    seccompProfile: z.object({ type: z.string() }),
    capabilities,
  }),
  volumeMounts: z
    .array(
      z.object({
        name: z.string(),
        mountPath: z.string(),
        readOnly: z.boolean().optional(),
        mountPropagation: z.string().optional(),
      }),
    )
    .default([]),
});
export type Container = z.output<typeof container>;

const podSpec = z.looseObject({
  containers: z.array(container),
  initContainers: z.array(container).default([]),
  volumes: z
    .array(
      z.looseObject({
        name: z.string(),
        hostPath: z.object({ path: z.string(), type: z.string().optional() }).optional(),
      }),
    )
    .default([]),
  priorityClassName: z.string().optional(),
  tolerations: z.array(z.looseObject({})).default([]),
});
export type PodSpec = z.output<typeof podSpec>;

/** The pods that an object makes, or is. */
export function podOf(object: KubernetesObject): PodSpec {
  if (object.kind === "Pod") return podSpec.parse(object.spec);
  return z.object({ spec: z.object({ template: z.object({ spec: podSpec }) }) }).parse(object).spec.template.spec;
}

export function pods(objects: readonly KubernetesObject[]): PodSpec[] {
  return objects.filter(({ kind }) => kind === "DaemonSet" || kind === "Pod").map(podOf);
}

/** The one container that is no init container. */
export function containerOf(object: KubernetesObject): Container {
  const [first, ...more] = podOf(object).containers;
  if (first === undefined || more.length > 0) throw new Error(`${object.metadata.name} has not just one container`);
  return first;
}

export function chartFile(path: string): string {
  return readFileSync(join(CHART, path), "utf8");
}

export function yamlFile(path: string): unknown {
  return parse(readFileSync(path, "utf8"));
}
