import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { Certificate } from "./certificate.test.kit.ts";
import { type RawObject, ScriptedCluster, type StoredEvent, type StoredObjects } from "./cluster.test.kit.ts";

export type Protocol = "h2" | "https" | "http";
/** Node's HTTP/2 answers with the same methods ("Compatibility API"). */
export type Response = ServerResponse;

/** A request as it came, with what a scripted answer needs. */
export interface Asked {
  readonly method: string;
  readonly contentType: string | undefined;
  /** As much of it as has come. */
  body: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  readonly httpVersion: string;
  readonly isWatch: boolean;
  readonly at: number;
}

interface OpenWatch {
  readonly path: string;
  /** It is told of later versions only. */
  readonly version: number;
  readonly response: Response;
}

/**
 * An API server on a real socket that lists and watches what a {@link ScriptedCluster} holds: pages, versions, bookmarks, 410, as "API
 * Concepts" describes them. `script` may answer a request in its place.
 */
export class ScriptedApiServer implements AsyncDisposable {
  readonly cluster = new ScriptedCluster();
  readonly asked: Asked[] = [];
  /** Answers a request itself by returning true. */
  script: (asked: Asked, response: Response) => boolean = () => false;
  /** The only `Authorization` that is accepted, when set. */
  token: string | undefined;
  /** Connections that were taken so far. */
  accepted = 0;
  #protocol: Protocol;
  readonly #certificate: Certificate;
  readonly #watches = new Set<OpenWatch>();
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  #server: ReturnType<typeof createServer> | ReturnType<typeof createSecureServer> | undefined;
  #port = 0;

  constructor(certificate: Certificate, protocol: Protocol = "h2") {
    this.#certificate = certificate;
    this.#protocol = protocol;
    this.cluster.onEvent = (path, event) => this.send(path, line(event), event.version);
  }

  get url(): string {
    return `${this.#protocol === "http" ? "http" : "https"}://127.0.0.1:${this.#port}`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  watches(path?: string): number {
    return [...this.#watches].filter((watch) => path === undefined || watch.path === path).length;
  }

  lists(path: string): Asked[] {
    return this.asked.filter((asked) => asked.path === path && !asked.isWatch);
  }

  watchRequests(path: string): Asked[] {
    return this.asked.filter((asked) => asked.path === path && asked.isWatch);
  }

  /** Listens; again on the same port after {@link kill}. */
  async start(protocol = this.#protocol): Promise<void> {
    this.#protocol = protocol;
    const handle = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) =>
      this.#answer(request, response as Response);
    const server =
      this.#protocol === "http"
        ? createServer(handle as RequestListener)
        : createSecureServer(
            {
              ...this.#certificate,
              allowHTTP1: true,
              ...(this.#protocol === "https" && { ALPNProtocols: ["http/1.1"] }),
            },
            handle,
          );
    server.on("connection", (socket: Socket) => {
      this.accepted++;
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      // The other end goes away in many of these tests.
      socket.on("error", () => undefined);
    });
    server.on("sessionError", () => undefined);
    server.on("session", (session: ServerHttp2Session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** As SIGKILL does: every connection is reset, and nobody listens. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server?.close(() => resolve()) ?? resolve());
    this.cut();
    await closed;
  }

  /** Resets every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#watches.clear();
  }

  /** Asks clients to use other connections from now on, as `--goaway-chance` does. */
  goAway(): void {
    for (const session of this.#sessions) session.goaway();
  }

  /** Writes to every open watch of a path that waits for this version. */
  send(path: string, text: string | Buffer, version = Number.POSITIVE_INFINITY): void {
    for (const watch of this.#watches) if (watch.path === path && watch.version < version) watch.response.write(text);
  }

  bookmark(path: string): void {
    const object = { kind: this.#stored(path).kind, metadata: { resourceVersion: String(this.cluster.version) } };
    this.send(path, `${JSON.stringify({ type: "BOOKMARK", object })}\n`);
  }

  /** Ends every open watch as its timeout does. */
  endWatches(path?: string): void {
    for (const watch of this.#watches) {
      if (path !== undefined && watch.path !== path) continue;
      this.#watches.delete(watch);
      watch.response.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #answer(request: IncomingMessage | Http2ServerRequest, response: Response): void {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.url);
    const asked: Asked = {
      method: request.method ?? "",
      contentType: request.headers["content-type"],
      body: "",
      path: pathname,
      query: searchParams,
      authorization: request.headers.authorization,
      httpVersion: request.httpVersion,
      isWatch: searchParams.get("watch") === "true",
      at: performance.now(),
    };
    this.asked.push(asked);
    request.setEncoding("utf8").on("data", (chunk: string) => {
      asked.body += chunk;
    });
    response.on("error", () => undefined);
    if (this.script(asked, response)) return;
    const trusted = this.token === undefined || asked.authorization === `Bearer ${this.token}`;
    if (!trusted) refuse(response, 401, "Unauthorized");
    else if (asked.isWatch) this.#watch(asked, response);
    else this.#list(asked, response);
  }

  #list({ path, query }: Asked, response: Response): void {
    const { kind, current, compacted } = this.#stored(path);
    const [from, at] = (query.get("continue") ?? `0@${this.cluster.version}`).split("@").map(Number) as [
      number,
      number,
    ];
    const notOlderThan = Number(query.get("resourceVersion") ?? 0);
    if (notOlderThan > this.cluster.version) {
      const { version } = this.cluster;
      refuse(response, 504, `Timeout: Too large resource version: ${notOlderThan}, current: ${version}`);
      return;
    }
    if (at < compacted) {
      refuse(response, 410, "The provided continue parameter is too old");
      return;
    }
    const limit = Number(query.get("limit") ?? Number.POSITIVE_INFINITY);
    const all = [...current.values()].filter((raw) => matches(raw, query.get("fieldSelector")));
    const more = from + limit < all.length ? { continue: `${from + limit}@${at}` } : {};
    const items = all.slice(from, from + limit).map(({ kind: _, apiVersion: __, ...raw }) => raw);
    const metadata = { resourceVersion: String(at), ...more };
    json(response, 200, { kind: `${kind}List`, apiVersion: "v1", metadata, items });
  }

  #watch({ path, query }: Asked, response: Response): void {
    const { history, compacted } = this.#stored(path);
    const version = Number(query.get("resourceVersion"));
    if (version < compacted) {
      refuse(response, 410, `too old resource version: ${version} (${compacted})`);
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    const watch = { path, version, response };
    this.#watches.add(watch);
    response.once("close", () => this.#watches.delete(watch));
    for (const event of history) {
      if (event.version > version && matches(event.object, query.get("fieldSelector"))) {
        response.write(line(event));
      }
    }
  }

  #stored(path: string): StoredObjects {
    const stored = this.cluster.resources[path];
    if (stored === undefined) throw new Error(`no resource ${path}`);
    return stored;
  }
}

export function refuse(response: Response, code: number, message: string, headers: Record<string, string> = {}): void {
  json(response, code, { kind: "Status", apiVersion: "v1", status: "Failure", code, message }, headers);
}

function json(response: Response, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

function line({ type, object }: StoredEvent): string {
  return `${JSON.stringify({ type, object })}\n`;
}

/** The two field selectors that are used. */
function matches(raw: RawObject, selector: string | null): boolean {
  const [field, value] = (selector ?? "").split("=");
  if (field === "spec.nodeName") return (raw.spec as { nodeName?: string } | undefined)?.nodeName === value;
  return field !== "metadata.name" || raw.metadata.name === value;
}
