import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { AgentError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { ExplainQuery } from "../explain/explain-pod.ts";
import { explainQuery } from "../explain/explain-query.ts";
import type { ExplanationDocument } from "../explain/explanation-document.ts";
import { describeError } from "../logging/describe-error.ts";
import type { Logger } from "../logging/logger.ts";
import type { ShadowDocument } from "../shadow/shadow-document.ts";
import type { Status } from "../status/status-document.ts";
import { type SwitchAnswer, type SwitchRequest, switchRequestSchema } from "../status/switch-document.ts";

/** What the admin socket serves. */
export interface AdminService {
  status(): Status;
  /** Reads the kernel now, then tells. */
  observe(): Promise<Status>;
  /** Why a pod is redirected or not, and what becomes of a flow. Throws `ERR_POD_UNKNOWN`. */
  explain(query: ExplainQuery): Promise<ExplanationDocument>;
  /** What the shadow plans and counted. */
  shadow(): Promise<ShadowDocument>;
  /** Begins to move the node to another backend, or tells what that would be. */
  switchTo(request: SwitchRequest): Promise<SwitchAnswer>;
}

export interface AdminServerOptions {
  readonly path: string;
  readonly service: AdminService;
  readonly log: Logger;
  /** Who is at the other end: SO_PEERCRED, see unix(7). Throws when the kernel does not say. */
  readonly peer: (socket: Socket) => { readonly uid: number; readonly pid: number };
}

interface Asked {
  readonly parameters: URLSearchParams;
  /** Undefined where there is none. */
  readonly body: unknown;
}

type Handler = (asked: Asked) => object | Promise<object>;

/** HTTP status of what is refused because of what was asked: no failure of the agent's. */
const REFUSALS: Partial<Record<ExitCode, number>> = { [EXIT.usage]: 404, [EXIT.conflict]: 409 };
const MAX_CONNECTIONS = 32;
const REQUEST_TIMEOUT_MS = 10_000;

function answer(response: ServerResponse, code: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(code, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const body = await text(request);
  return body === "" ? undefined : JSON.parse(body);
}

/**
 * HTTP over a UNIX socket, for root on this node only: the socket is 0600, and the peer's credentials are asked of the
 * kernel as well, because a socket can be handed on.
 *
 * - `GET /healthz`: 200 while the agent's event loop turns. Says nothing of Kubernetes: a liveness probe must not depend on it.
 * - `GET /status`: the last known {@link Status}.
 * - `POST /observe`: reads the kernel first.
 * - `GET /explain?pod=…`: why a pod is redirected or not; with a flow (see `explain-query.ts`) what becomes of it.
 * - `GET /shadow`: what the shadow plans and counted, and where that differs from what serves.
 * - `POST /switch`: a {@link SwitchRequest}, answered before anything has moved.
 *
 * Errors are `{ "code", "message" }` with a matching HTTP status.
 */
export class AdminServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #log: Logger;

  private constructor(options: AdminServerOptions) {
    const { service, log, peer } = options;
    this.#log = log;
    const routes: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
      "/healthz": { GET: () => ({ ok: true }) },
      "/status": { GET: () => service.status() },
      "/observe": { POST: () => service.observe() },
      "/explain": { GET: ({ parameters }) => service.explain(explainQuery(parameters)) },
      "/shadow": { GET: () => service.shadow() },
      "/switch": { POST: ({ body }) => service.switchTo(switchRequestSchema.parse(body)) },
    };
    this.#server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, keepAlive: false }, (request, response) => {
      if (this.#isRoot(request.socket, peer)) return void this.#serve(routes, request, response);
      request.resume();
      answer(response, 403, { code: "ERR_NOT_PERMITTED", message: "the admin socket is for root only" });
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Binds the socket with mode 0600. The path must be free: the caller holds the lock that makes it so. */
  static async listen(options: AdminServerOptions): Promise<AdminServer> {
    const admin = new AdminServer(options);
    const bound = Promise.withResolvers<void>();
    admin.#server.once("error", bound.reject).once("listening", bound.resolve);
    // bind(2) makes the file under the umask, and Node binds within listen(): there is no moment when it is open to others.
    const umask = process.umask(0o177);
    try {
      admin.#server.listen(options.path);
    } finally {
      process.umask(umask);
    }
    await bound.promise;
    admin.#server.on("error", (error) => options.log.error({ err: error }, "admin server error"));
    return admin;
  }

  #isRoot(socket: Socket, peer: AdminServerOptions["peer"]): boolean {
    try {
      const { uid, pid } = peer(socket);
      if (uid !== 0) this.#log.warn({ uid, pid }, "admin request refused: not root");
      return uid === 0;
    } catch (error) {
      this.#log.warn({ err: error }, "admin request refused: unknown peer");
      return false;
    }
  }

  async #serve(
    routes: Readonly<Record<string, Readonly<Record<string, Handler>>>>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const [path = "", query] = (request.url ?? "").split("?", 2);
    const methods = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (methods === undefined) {
      answer(response, 404, {
        code: "ERR_NOT_FOUND",
        message: `no such path; there are ${Object.keys(routes).join(", ")}`,
      });
      return;
    }
    const handler = methods[request.method ?? ""];
    if (handler === undefined) {
      response.setHeader("allow", Object.keys(methods).join(", "));
      answer(response, 405, { code: "ERR_METHOD", message: `use ${Object.keys(methods).join(" or ")}` });
      return;
    }
    try {
      answer(response, 200, await handler({ parameters: new URLSearchParams(query), body: await bodyOf(request) }));
    } catch (error) {
      const { code = "ERR_UNEXPECTED", message } = describeError(error);
      const refused = error instanceof AgentError ? REFUSALS[error.exit] : undefined;
      if (refused !== undefined) {
        answer(response, refused, { code, message });
        return;
      }
      this.#log.error({ err: error, path: request.url }, "admin request failed");
      answer(response, 500, { code, message });
    }
  }

  /** Stops listening, ends what is open and removes the socket. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    this.#server.closeAllConnections();
    await closed.promise;
  }
}
