import type { Readable } from "node:stream";
import { errorMessage } from "@millrace/core/internal";
import { WatcherError } from "../errors.ts";
import type { LoadAccess } from "./api-access.ts";
import { ApiStatusError, notUnderstood, wordsOf } from "./api-errors.ts";
import type { ApiRequest } from "./api-request.ts";
import type { ApiResponse } from "./api-response.ts";
import type { ApiTransport } from "./api-transport.ts";
import { readBody } from "./read-body.ts";
import type { ApiTiming } from "./timing.ts";

/** A refusal says less than this, or it is none of Kubernetes'. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/** etcd takes no request of more than 1.5 MiB (`--max-request-bytes`), and JSON is seldom twice as long as what is stored. */
const MAX_OBJECT_BYTES = 4 * 1024 * 1024;

/** Asks the API server, with credentials as they are on disk at that moment. */
export class ApiClient {
  readonly #load: LoadAccess;
  readonly #transport: ApiTransport;
  readonly #timing: ApiTiming;

  constructor(load: LoadAccess, transport: ApiTransport, timing: ApiTiming) {
    this.#load = load;
    this.#transport = transport;
    this.#timing = timing;
  }

  /**
   * The body of an answer with a status of success, unread. A 401 is tried again once with credentials read anew: the token may have been replaced
   * between our reading and the server's. Rejects with an {@link ApiStatusError} for any other status, with ERR_KUBERNETES_ACCESS,
   * ERR_KUBERNETES_UNREACHABLE, ERR_KUBERNETES_SILENT, or the signal's reason.
   * @param what the request in words, for messages
   */
  get(path: string, what: string, signal: AbortSignal): Promise<Readable> {
    return this.#ask({ method: "GET", path }, what, signal);
  }

  /** The object that the answer carries. Rejects as {@link get}, and with ERR_KUBERNETES_ANSWER. */
  async object(request: ApiRequest, what: string, signal: AbortSignal): Promise<unknown> {
    const body = await this.#ask(request, what, signal);
    const text = await readBody(body, what, { maxBytes: MAX_OBJECT_BYTES, idleMs: this.#timing.answerMs });
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw notUnderstood(what, cause);
    }
  }

  async #ask(request: ApiRequest, what: string, signal: AbortSignal): Promise<Readable> {
    let response = await this.#send(request, what, signal);
    if (response.status === 401) {
      response.body.destroy();
      response = await this.#send(request, what, signal);
    }
    const { status, retryAfterMs, body } = response;
    if (status >= 200 && status <= 299) return body;
    throw new ApiStatusError(what, status, await this.#refusal(body, what), retryAfterMs);
  }

  async #send(request: ApiRequest, what: string, signal: AbortSignal): Promise<ApiResponse> {
    const { answerMs } = this.#timing;
    const access = await this.#load();
    const waiting = new AbortController();
    const timer = setTimeout(() => {
      const message = `the API server ${access.server.origin} did not begin to answer ${what} within ${answerMs} ms`;
      waiting.abort(new WatcherError("ERR_KUBERNETES_SILENT", message));
    }, answerMs);
    try {
      return await this.#transport.send(access, request, AbortSignal.any([signal, waiting.signal]));
    } finally {
      clearTimeout(timer);
    }
  }

  async #refusal(body: Readable, what: string): Promise<string> {
    try {
      return wordsOf(await readBody(body, what, { maxBytes: MAX_REFUSAL_BYTES, idleMs: this.#timing.answerMs }));
    } catch (error) {
      return `its explanation could not be read: ${errorMessage(error)}`;
    }
  }
}
