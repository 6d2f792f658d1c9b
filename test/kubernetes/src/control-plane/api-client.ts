import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { ClusterError } from "../errors.ts";
import type { Certificates } from "./certificates.ts";
import { type ApiResource, findResource, objectPath } from "./resources.ts";

const ObjectSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string(),
    resourceVersion: z.string(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    deletionTimestamp: z.string().optional(),
  }),
});

/** An object as the API server gives it back. */
export type StoredObject = z.output<typeof ObjectSchema>;

/** An object to be stored. */
export interface WantedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

/** Names an object: all that reading, changing and deleting it needs. */
export type ObjectName = Pick<WantedObject, "apiVersion" | "kind" | "metadata">;

const PATCHES = {
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
} as const;

export type PatchKind = keyof typeof PATCHES;

/** Connections at once; as many as kubectl and controllers have by far. */
const CONNECTIONS = 8;
const TIMEOUT_MS = 60_000;

export interface ApiClientOptions {
  /** A socket that leads to the API server: the host it listens on is another network namespace. */
  readonly socketPath: string;
  readonly certificates: Certificates;
  /** Who asks; default: the administrator, by certificate. */
  readonly token?: string;
}

/**
 * Whoever else uses the cluster: the administrator, controllers, the kubelet. (`@kubernetes/client-node` cannot be told to go through a
 * socket.) What is refused throws ERR_API_REQUEST with the API server's words.
 */
export class ApiClient implements Disposable {
  readonly #options: ApiClientOptions;
  readonly #agent: Agent;
  readonly #resources = new Map<string, readonly ApiResource[]>();

  constructor(options: ApiClientOptions) {
    this.#options = options;
    const { ca, admin } = options.certificates;
    const proof =
      options.token === undefined ? { cert: readFileSync(admin.certificate), key: readFileSync(admin.key) } : {};
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: CONNECTIONS,
      ca: readFileSync(ca.certificate),
      servername: "kubernetes.default.svc",
      ...proof,
    });
  }

  /** The same server asked in the name of whom the token is for. */
  as(token: string): ApiClient {
    return new ApiClient({ ...this.#options, token });
  }

  async get(name: ObjectName): Promise<StoredObject> {
    return ObjectSchema.parse(await this.ask("GET", await this.#path(name)));
  }

  /** The object, or undefined where there is none. */
  async find(name: ObjectName): Promise<StoredObject | undefined> {
    try {
      return await this.get(name);
    } catch (error) {
      if (error instanceof ClusterError && error.status === 404) return undefined;
      throw error;
    }
  }

  async create(object: WantedObject): Promise<StoredObject> {
    return ObjectSchema.parse(await this.ask("POST", await this.#path(object, { collection: true }), object));
  }

  /** Server-side apply, as `kubectl apply --server-side` sends it. */
  async apply(object: WantedObject): Promise<StoredObject> {
    const path = `${await this.#path(object)}?fieldManager=kubectl&fieldValidation=Strict`;
    return ObjectSchema.parse(await this.ask("PATCH", path, object, "application/apply-patch+yaml"));
  }

  async patch(
    name: ObjectName,
    patch: unknown,
    { kind = "merge", subresource }: { readonly kind?: PatchKind; readonly subresource?: string } = {},
  ): Promise<StoredObject> {
    const path = await this.#path(name, { subresource });
    return ObjectSchema.parse(await this.ask("PATCH", path, patch, PATCHES[kind]));
  }

  /** With `graceSeconds` 0 it is gone when this is done; else a pod on a node waits, with a deletionTimestamp, for its kubelet. */
  async delete(name: ObjectName, graceSeconds = 0): Promise<void> {
    const options = { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: graceSeconds };
    await this.ask("DELETE", await this.#path(name), options);
  }

  /** TokenRequest (authentication.k8s.io/v1), as the kubelet makes it for a pod. */
  async requestToken(namespace: string, account: string, boundTo?: StoredObject): Promise<string> {
    const bound = boundTo?.metadata;
    const boundObjectRef =
      bound === undefined
        ? {}
        : { boundObjectRef: { apiVersion: "v1", kind: "Pod", name: bound.name, uid: bound.uid } };
    const answer = await this.ask("POST", `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { audiences: [], expirationSeconds: 3600, ...boundObjectRef },
    });
    return z.object({ status: z.object({ token: z.string() }) }).parse(answer).status.token;
  }

  /** Any request. */
  async ask(method: string, path: string, body?: unknown, contentType = "application/json"): Promise<unknown> {
    const { status, text } = await this.#send(method, path, body, contentType);
    if (status >= 200 && status < 300) return JSON.parse(text) as unknown;
    const said = z.object({ message: z.string() }).safeParse(parsed(text)).data?.message ?? text.slice(0, 500);
    throw new ClusterError("ERR_API_REQUEST", `${method} ${path}: HTTP ${status}: ${said}`, { status });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #path(
    { apiVersion, kind, metadata }: ObjectName,
    more: Parameters<typeof objectPath>[2] = {},
  ): Promise<string> {
    const resource = await findResource(this.#resources, apiVersion, kind, (path) => this.ask("GET", path));
    return objectPath(resource, metadata, more);
  }

  #send(method: string, path: string, body: unknown, contentType: string): Promise<{ status: number; text: string }> {
    const { socketPath, token } = this.#options;
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = {
      accept: "application/json",
      ...(content === undefined ? {} : { "content-type": contentType, "content-length": content.length }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    return new Promise((resolve, reject) => {
      const failed = (cause: Error) =>
        reject(new ClusterError("ERR_API_REQUEST", `${method} ${path}: ${cause.message}`, { cause }));
      const asked = request(
        { socketPath, path, method, headers, agent: this.#agent, timeout: TIMEOUT_MS },
        (response) => {
          text(response).then((read) => resolve({ status: response.statusCode ?? 0, text: read }), failed);
        },
      );
      asked.on("timeout", () => asked.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      asked.on("error", failed);
      asked.end(content);
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // what it said is shown as it is
  }
}
