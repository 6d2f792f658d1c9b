import { type ClientHttp2Session, connect, constants } from "node:http2";
import type { TLSSocket } from "node:tls";
import { WatcherError } from "../errors.ts";
import type { ApiAccess } from "./api-access.ts";
import { unreachable } from "./api-errors.ts";
import type { ApiRequest } from "./api-request.ts";
import { type ApiResponse, retryAfterMs } from "./api-response.ts";
import type { ApiTiming } from "./timing.ts";

const { HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH, HTTP2_HEADER_STATUS } = constants;

/** A list of some megabytes would crawl through HTTP/2's default window of 64 KiB on a slow link. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/**
 * One HTTP/2 connection for all watches, asked for a sign of life whenever it brings nothing for a while: the only thing that tells a
 * quiet watch from a peer that is frozen, or from a connection that somebody on the way has forgotten. This is client-go's cure for silent
 * watches (kubernetes/kubernetes#95981); the JavaScript client's transport has none (kubernetes-client/javascript#596, #958).
 */
export class PingedSession implements Disposable {
  readonly #session: ClientHttp2Session;
  readonly #socket: TLSSocket;
  readonly #server: URL;
  readonly #timing: ApiTiming;
  readonly #timer: NodeJS.Timeout;
  #deadline: NodeJS.Timeout | undefined;
  #drain: NodeJS.Timeout | undefined;
  #broken: Error | undefined;

  constructor(socket: TLSSocket, access: ApiAccess, timing: ApiTiming, onClose: () => void) {
    this.#socket = socket;
    this.#server = access.server;
    this.#timing = timing;
    this.#session = connect(access.server, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
    });
    this.#session.on("connect", () => this.#session.setLocalWindowSize(WINDOW_BYTES));
    this.#session.on("error", (error) => {
      this.#broken ??= error;
    });
    this.#session.on("goaway", () => this.retire());
    this.#session.once("close", () => {
      clearInterval(this.#timer);
      clearTimeout(this.#deadline);
      clearTimeout(this.#drain);
      onClose();
    });
    let seen = -1;
    this.#timer = setInterval(() => {
      if (socket.bytesRead === seen) this.#ping();
      seen = socket.bytesRead;
    }, timing.pingAfterMs);
  }

  /** Requests may still be made on it. */
  get usable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  /** Rejects with ERR_KUBERNETES_UNREACHABLE, ERR_KUBERNETES_SILENT or the signal's reason. */
  send(
    { method, path, body }: ApiRequest,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ApiResponse> {
    return new Promise((resolve, reject) => {
      // It may have been closed since it was last looked at, which request() throws.
      if (!this.usable) throw unreachable(this.#server, this.#broken ?? new Error("the connection was closed"));
      const head = { [HTTP2_HEADER_METHOD]: method, [HTTP2_HEADER_PATH]: path, ...headers };
      const stream = this.#session.request(head, { endStream: body === undefined, signal });
      // Stays for the life of the stream: whoever reads the body hears of the error there.
      stream.on("error", (error) => reject(this.#reason(error, signal)));
      stream.once("close", () => reject(this.#reason(new Error("the connection was closed"), signal)));
      stream.once("response", (answered) => {
        resolve({
          status: Number(answered[HTTP2_HEADER_STATUS]),
          retryAfterMs: retryAfterMs(answered["retry-after"]),
          body: stream,
        });
      });
      if (body !== undefined) stream.end(body);
    });
  }

  /**
   * What is new goes to another connection (RFC 9113, 6.8). What is under way has as long to end as a sign of life would have: a connection
   * that is being closed cannot be asked for one (Node answers its PING itself, `Http2Session.ping`), and a watch could wait on it for ever.
   */
  retire(): void {
    if (!this.#session.closed) this.#session.close();
    const message = `the API server ${this.#server.origin}, or a change of its certificates, asked for another connection`;
    this.#drain ??= setTimeout(
      () => this.#end(new WatcherError("ERR_KUBERNETES_UNREACHABLE", message)),
      this.#timing.pingAnswerMs,
    );
  }

  [Symbol.dispose](): void {
    this.#end();
  }

  #ping(): void {
    if (this.#deadline !== undefined || this.#session.closed || this.#session.destroyed) return;
    const { pingAfterMs, pingAnswerMs } = this.#timing;
    this.#deadline = setTimeout(() => {
      const message = `the API server ${this.#server.origin} gave no sign of life for ${pingAfterMs + pingAnswerMs} ms`;
      this.#end(new WatcherError("ERR_KUBERNETES_SILENT", message));
    }, pingAnswerMs);
    this.#session.ping(() => {
      clearTimeout(this.#deadline);
      this.#deadline = undefined;
    });
  }

  /** The socket as well: a session that was being closed already would wait for the other end to close its half. */
  #end(error?: Error): void {
    this.#broken ??= error;
    this.#session.destroy(error);
    this.#socket.destroy();
  }

  #reason(error: Error, signal: AbortSignal): unknown {
    return signal.aborted ? signal.reason : unreachable(this.#server, this.#broken ?? error);
  }
}
