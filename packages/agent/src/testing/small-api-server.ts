import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A raw object as the API server keeps it. */
export interface ApiObject {
  readonly metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly contentType: string | undefined;
  readonly body: unknown;
}

/** `/api/v1[/namespaces/NS]/RESOURCE[/NAME[/status]]`, and the same below `/apis/GROUP/VERSION`. */
const PATH = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+)(?=\/))?\/([a-z]+)(?:\/([^/]+)(?:\/status)?)?$/;

/**
 * A small API server on a real socket, plain HTTP: list, watch, get, put, delete, create, merge patch and JSON patch, with versions and 409, as "API
 * Concepts" has them. What it does not know of is defaults, validation and permissions.
 */
export class SmallApiServer implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** Answers a request in place of the server: a status, or undefined to let it be. */
  refuse: (asked: Asked) => number | undefined = () => undefined;
  readonly #objects = new Map<string, ApiObject>();
  readonly #watches = new Set<{ readonly resource: string; readonly response: ServerResponse }>();
  readonly #server: Server;
  #version = 100;

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  /** Port 0 takes any that is free. */
  async listen(port = 0, host = "127.0.0.1"): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject).listen(port, host, resolve);
    await promise;
    return `http://${host}:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Puts an object, as if somebody had applied it. `collection` is for instance `/api/v1/pods`. */
  put(collection: string, object: ApiObject): ApiObject {
    const key = keyOf(collection, object.metadata.namespace, object.metadata.name);
    const type = this.#objects.has(key) ? "MODIFIED" : "ADDED";
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    const stored = { ...object, metadata };
    this.#objects.set(key, stored);
    this.#tell(collection, type, stored);
    return stored;
  }

  remove(collection: string, namespace: string | undefined, name: string): void {
    const key = keyOf(collection, namespace, name);
    const object = this.#objects.get(key);
    if (object === undefined || !this.#objects.delete(key)) return;
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    this.#tell(collection, "DELETED", { ...object, metadata });
  }

  get(collection: string, namespace: string | undefined, name: string): ApiObject | undefined {
    return this.#objects.get(keyOf(collection, namespace, name));
  }

  list(collection: string): ApiObject[] {
    return [...this.#objects].filter(([key]) => key.startsWith(`${collection} `)).map(([, object]) => object);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => undefined); // the other end may go away
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://api");
    const body = await text(request).catch(() => "");
    const { method = "", headers } = request;
    const contentType = headers["content-type"];
    const asked = { method, path: pathname, contentType, body: body === "" ? undefined : JSON.parse(body) };
    this.asked.push(asked);
    const [, root, namespace, resource, name] = PATH.exec(pathname) ?? [];
    const refused = this.refuse(asked);
    if (refused !== undefined) status(response, refused, "as the test wants it");
    else if (pathname === "/version") reply(response, 200, { major: "1", minor: "30" });
    else if (root === undefined) status(response, 404, "no such path");
    else if (searchParams.get("watch") === "true") this.#watch(`${root}/${resource}`, response);
    else this.#object(asked, `${root}/${resource}`, namespace, name, response);
  }

  #object(
    { method, body, contentType }: Asked,
    collection: string,
    namespace: string | undefined,
    name: string | undefined,
    response: ServerResponse,
  ): void {
    if (name === undefined && method === "GET") {
      const items = this.list(collection).filter(({ metadata }) => [undefined, metadata.namespace].includes(namespace));
      reply(response, 200, { metadata: { resourceVersion: String(this.#version) }, items });
      return;
    }
    if (name !== undefined && method === "PUT") {
      reply(response, 200, this.put(collection, body as ApiObject));
      return;
    }
    if (name !== undefined && method === "DELETE") {
      this.remove(collection, namespace, name);
      reply(response, 200, {});
      return;
    }
    if (name === undefined) {
      const made = body as ApiObject;
      if (this.get(collection, namespace, made.metadata.name) !== undefined) status(response, 409, "already exists");
      else reply(response, 201, this.put(collection, made));
      return;
    }
    const there = this.get(collection, namespace, name);
    if (there === undefined) status(response, 404, `${name} not found`);
    else if (method === "GET") reply(response, 200, there);
    else this.#patch(collection, there, body, contentType, response);
  }

  #patch(
    collection: string,
    there: ApiObject,
    body: unknown,
    contentType: string | undefined,
    response: ServerResponse,
  ): void {
    let patched: ApiObject;
    try {
      patched = (
        contentType === "application/json-patch+json" ? jsonPatch(there, body as Step[]) : mergePatch(there, body)
      ) as ApiObject;
    } catch (error) {
      status(response, 422, String(error));
      return;
    }
    if (patched.metadata.resourceVersion !== there.metadata.resourceVersion)
      status(response, 409, "it has been modified");
    else reply(response, 200, this.put(collection, patched));
  }

  #watch(resource: string, response: ServerResponse): void {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    const watch = { resource, response };
    this.#watches.add(watch);
    response.once("close", () => this.#watches.delete(watch));
  }

  #tell(collection: string, type: string, object: ApiObject): void {
    for (const { resource, response } of this.#watches) {
      if (resource === collection) response.write(`${JSON.stringify({ type, object })}\n`);
    }
  }
}

export function writeKubeconfig(path: string, server: string): void {
  const access = {
    clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  writeFileSync(path, JSON.stringify(access));
}

const keyOf = (collection: string, namespace: string | undefined, name: string): string =>
  `${collection} ${namespace ?? ""}/${name}`;

function reply(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

const status = (response: ServerResponse, code: number, message: string): void =>
  reply(response, code, { kind: "Status", apiVersion: "v1", status: "Failure", code, message });

/** RFC 7396, section 2. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> = typeof target === "object" && target !== null ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

interface Step {
  readonly op: "test" | "replace";
  readonly path: string;
  readonly value: unknown;
}

/** RFC 6902, as far as it is used: `test` and `replace` of members of objects. */
function jsonPatch(target: ApiObject, steps: readonly Step[]): unknown {
  const patched = structuredClone(target);
  for (const { op, path, value } of steps) {
    const keys = path.slice(1).split("/");
    const last = keys.pop() as string;
    const parent = keys.reduce<Record<string, unknown>>((inner, key) => inner[key] as Record<string, unknown>, patched);
    if (op === "replace") parent[last] = value;
    else if (JSON.stringify(parent[last]) !== JSON.stringify(value)) throw new Error(`testing value ${path} failed`);
  }
  return patched;
}
