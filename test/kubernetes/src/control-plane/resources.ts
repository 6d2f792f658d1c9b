import { z } from "zod";
import { ClusterError } from "../errors.ts";

const List = z.object({
  resources: z.array(z.object({ name: z.string(), kind: z.string(), namespaced: z.boolean() })),
});

/** Where objects of a kind are. */
export interface ApiResource {
  readonly kind: string;
  /** `/api/v1`, `/apis/apps/v1` */
  readonly root: string;
  readonly name: string;
  readonly namespaced: boolean;
}

/** By discovery (Kubernetes, "API Concepts"), once a group and version. Throws ERR_API_REQUEST for a kind that the server does not have. */
export async function findResource(
  known: Map<string, readonly ApiResource[]>,
  apiVersion: string,
  kind: string,
  get: (path: string) => Promise<unknown>,
): Promise<ApiResource> {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const resources = known.get(root) ?? List.parse(await get(root)).resources.map((found) => ({ ...found, root }));
  known.set(root, resources);
  // Subresources, `pods/status`, have the kind of what they belong to.
  const found = resources.find((resource) => resource.kind === kind && !resource.name.includes("/"));
  if (found !== undefined) return found;
  throw new ClusterError("ERR_API_REQUEST", `the API server has no ${kind} in ${apiVersion}`);
}

export function objectPath(
  { root, name: resource, namespaced }: ApiResource,
  { name, namespace }: { readonly name: string; readonly namespace?: string | undefined },
  {
    collection = false,
    subresource,
  }: { readonly collection?: boolean; readonly subresource?: string | undefined } = {},
): string {
  const parts = [
    root,
    ...(namespaced ? ["namespaces", namespace ?? "default"] : []),
    resource,
    ...(collection ? [] : [encodeURIComponent(name)]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  return parts.join("/");
}
