import { z } from "zod";
import type { ApiClient } from "./api-client.ts";
import { ApiStatusError, notUnderstood } from "./api-errors.ts";
import { readBody } from "./read-body.ts";
import type { WatchedResource } from "./watched-resource.ts";

/**
 * Objects per page: as many as client-go asks for (k8s.io/client-go `tools/pager`). From its cache an API server answers with all of them
 * at once; many take a limit to mean that etcd is to be read (before 1.33, `shouldDelegateList` of apiserver `pkg/storage/cacher`).
 */
const PAGE_SIZE = 500;
/** A thousand pods of the largest size that etcd takes, 1.5 MiB, would be more; a node has 250 and they have some 20 KiB. */
const MAX_PAGE_BYTES = 256 * 1024 * 1024;

const page = z.object({
  metadata: z.object({ resourceVersion: z.string().min(1), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullish(),
});

export interface ListRequest {
  readonly client: ApiClient;
  readonly resource: WatchedResource;
  /**
   * How old the list may be: no older than this version; whatever the API server has in its cache (`0`, as the kubelet begins with, which
   * spares etcd); or, without one, what etcd has now. From "API Concepts", "Semantics for get and list".
   */
  readonly notOlderThan: string | undefined;
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** Called with the objects of each page, so that only what is made of them need be kept. */
  readonly onItems: (items: readonly unknown[]) => void;
  /** Called before the first page, and again when a list that took too long has to begin anew. */
  readonly onBegin: () => void;
}

/** Lists everything, page by page. Resolves to the version from which a watch goes on. Rejects as {@link ApiClient.get}, or ERR_KUBERNETES_ANSWER. */
export async function listObjects(request: ListRequest): Promise<string> {
  const { notOlderThan, onBegin } = request;
  const from: Record<string, string> =
    notOlderThan === undefined ? {} : { resourceVersion: notOlderThan, resourceVersionMatch: "NotOlderThan" };
  // So no limit where every node lists at the same time, after a restart (client-go `tools/cache/reflector.go`, "thundering herd").
  const limit: Record<string, string> =
    notOlderThan === undefined || notOlderThan === "0" ? { limit: String(PAGE_SIZE) } : {};
  onBegin();
  let next = await readPage(request, { ...limit, ...from });
  while (next.more !== undefined) {
    try {
      next = await readPage(request, { limit: String(PAGE_SIZE), continue: next.more });
    } catch (error) {
      if (!(error instanceof ApiStatusError && error.status === 410)) throw error;
      // The pages' snapshot was compacted away under us. A list in one piece cannot expire (as client-go's pager does).
      onBegin();
      next = await readPage(request, {});
    }
  }
  return next.resourceVersion;
}

async function readPage(
  { client, resource, idleMs, signal, onItems }: ListRequest,
  parameters: Readonly<Record<string, string>>,
): Promise<{ readonly resourceVersion: string; readonly more: string | undefined }> {
  const query = new URLSearchParams(parameters);
  if (resource.fieldSelector !== undefined) query.set("fieldSelector", resource.fieldSelector);
  const what = `a list of ${resource.path}`;
  const body = await client.get(`${resource.path}?${query}`, what, signal);
  const text = await readBody(body, what, { maxBytes: MAX_PAGE_BYTES, idleMs });
  const { metadata, items } = parsePage(text, what);
  onItems(items ?? []);
  return { resourceVersion: metadata.resourceVersion, more: metadata.continue === "" ? undefined : metadata.continue };
}

function parsePage(text: string, what: string): z.output<typeof page> {
  try {
    return page.parse(JSON.parse(text));
  } catch (cause) {
    throw notUnderstood(what, cause);
  }
}
