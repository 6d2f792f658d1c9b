import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { errorCode } from "@millrace/core/internal";
import { AgentError } from "../errors.ts";
import { describeError } from "../logging/describe-error.ts";
import type { Logger } from "../logging/logger.ts";

/** What a path answers with. */
export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface HttpServerOptions {
  /** Default: every address of the node, both families. */
  readonly address?: string | undefined;
  /** 0 takes any that is free. */
  readonly port: number;
  readonly pages: Readonly<Record<string, () => Page | Promise<Page>>>;
  readonly log: Logger;
  readonly limits?: Partial<HttpLimits>;
}

/** Anybody who reaches the node may ask: what one of them can take is bounded. */
export interface HttpLimits {
  /** Connections at one time. For one more the oldest is closed, so that whoever holds them open cannot keep a probe out. */
  readonly connections: number;
  /** Longest that the head of a request may take to arrive, in milliseconds; the whole exchange may take twice that. */
  readonly headMs: number;
  readonly headBytes: number;
}

const LIMITS: HttpLimits = { connections: 64, headMs: 5_000, headBytes: 8 * 1024 };

export const json = (status: number, body: object): Page => ({
  status,
  type: "application/json",
  body: `${JSON.stringify(body)}\n`,
});

/** Plain HTTP for probes and for Prometheus: GET and HEAD of a few fixed paths, nothing that changes anything. */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #options: HttpServerOptions;
  /** Oldest first. */
  readonly #sockets = new Set<Socket>();

  private constructor(options: HttpServerOptions) {
    this.#options = options;
    const { connections, headMs, headBytes } = { ...LIMITS, ...options.limits };
    this.#server = createServer(
      {
        maxHeaderSize: headBytes,
        headersTimeout: headMs,
        requestTimeout: headMs,
        keepAliveTimeout: headMs,
        connectionsCheckingInterval: Math.ceil(headMs / 5),
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      // Whoever does not read the answer.
      socket.setTimeout(2 * headMs, () => socket.destroy());
      if (this.#sockets.size > connections) this.#sockets.values().next().value?.destroy();
    });
  }

  /** Throws ERR_HTTP_PORT when somebody else has the port, ERR_HTTP_ADDRESS when the node has no such address. */
  static async listen(options: HttpServerOptions): Promise<HttpServer> {
    const { address, port, log } = options;
    const http = new HttpServer(options);
    try {
      http.#server.listen({ port, ...(address !== undefined && { host: address }) });
      await once(http.#server, "listening");
    } catch (cause) {
      const where = `${address === undefined ? "" : `address ${address}, `}port ${port}`;
      if (errorCode(cause) === "EADDRINUSE") {
        throw new AgentError("ERR_HTTP_PORT", `another process has ${where}`, { cause });
      }
      if (errorCode(cause) === "EADDRNOTAVAIL") {
        throw new AgentError("ERR_HTTP_ADDRESS", `this node has no address ${address}`, { cause });
      }
      throw cause;
    }
    http.#server.on("error", (error) => log.error({ err: error }, "the HTTP endpoint failed"));
    return http;
  }

  get port(): number {
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") throw new Error("the HTTP endpoint is closed");
    return bound.port;
  }

  /** Open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // The other end may go away at any time.
    response.on("error", (error) => this.#options.log.debug({ err: error }, "an HTTP answer was not taken"));
    // A body has no meaning here (RFC 9110, 9.3.1), so none is read: the connection ends instead.
    const hasBody = request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"]) > 0;
    const page = hasBody ? refusal(413, "a request may have no body") : await this.#page(request);
    if (hasBody) response.setHeader("connection", "close");
    if (page.status === 405) response.setHeader("allow", "GET, HEAD");
    response.writeHead(page.status, {
      "content-type": page.type,
      "content-length": Buffer.byteLength(page.body),
      "cache-control": "no-store",
    });
    response.end(request.method === "HEAD" ? undefined : page.body, () => {
      if (hasBody) request.socket.destroySoon();
    });
  }

  async #page({ method, url = "" }: IncomingMessage): Promise<Page> {
    const { pages, log } = this.#options;
    const path = url.split("?", 1)[0] ?? "";
    if (!Object.hasOwn(pages, path)) return refusal(404, `no such path; there are ${Object.keys(pages).join(", ")}`);
    if (method !== "GET" && method !== "HEAD") return refusal(405, "use GET");
    try {
      return (await pages[path]?.()) as Page;
    } catch (error) {
      log.error({ err: error, path }, "an HTTP request failed");
      return refusal(500, describeError(error).message);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

const refusal = (status: number, message: string): Page => ({
  status,
  type: "text/plain; charset=utf-8",
  body: `${message}\n`,
});
