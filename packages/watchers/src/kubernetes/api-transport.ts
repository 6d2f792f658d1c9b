import { createHash } from "node:crypto";
import type { ApiAccess } from "./api-access.ts";
import type { ApiRequest } from "./api-request.ts";
import type { ApiResponse } from "./api-response.ts";
import { http1Send } from "./http1-send.ts";
import { openTls } from "./open-tls.ts";
import { PingedSession } from "./pinged-session.ts";
import type { ApiTiming } from "./timing.ts";

/** A connection over HTTP/2, or that this server offers none. */
type Spoken = PingedSession | "http/1.1";

/** Sends requests to the API server: all of them over one HTTP/2 connection where it speaks that, as kube-apiserver does. */
export class ApiTransport implements Disposable {
  readonly #timing: ApiTiming;
  readonly #stop = new AbortController();
  readonly #sessions = new Set<PingedSession>();
  #current: { readonly identity: string; readonly spoken: Promise<Spoken> } | undefined;

  constructor(timing: ApiTiming) {
    this.#timing = timing;
  }

  /** Rejects with ERR_KUBERNETES_UNREACHABLE, ERR_KUBERNETES_SILENT or the signal's reason. */
  async send(access: ApiAccess, request: ApiRequest, signal: AbortSignal): Promise<ApiResponse> {
    const headers = {
      accept: "application/json",
      "user-agent": "millrace",
      ...(request.body !== undefined && {
        "content-type": request.contentType ?? "application/json",
        "content-length": String(Buffer.byteLength(request.body)),
      }),
      ...access.headers,
    };
    const plain = access.proxied || access.server.protocol === "http:";
    // Others may wait for the same connection, so it goes on being opened.
    const spoken = plain ? "http/1.1" : await untilAborted(this.#spoken(access), signal);
    signal.throwIfAborted();
    const asked = { ...request, path: pathOn(access.server, request.path) };
    if (spoken !== "http/1.1") return spoken.send(asked, headers, signal);
    try {
      return await http1Send(access, asked, headers, signal);
    } catch (error) {
      // What answers there next may speak HTTP/2, of which alone a sign of life can be asked.
      this.#current = undefined;
      throw error;
    }
  }

  /** Ends every connection and all that goes on over it. */
  [Symbol.dispose](): void {
    this.#stop.abort();
    for (const session of this.#sessions) session[Symbol.dispose]();
  }

  async #spoken(access: ApiAccess): Promise<Spoken> {
    const identity = identityOf(access);
    const current = this.#current;
    if (current?.identity === identity) {
      const spoken = await current.spoken;
      if (spoken === "http/1.1" || spoken.usable) return spoken;
      // Somebody else may have begun to connect again while we waited.
      if (this.#current !== current) return this.#spoken(access);
    }
    const opened = { identity, spoken: this.#open(access) };
    this.#current = opened;
    try {
      return await opened.spoken;
    } catch (error) {
      if (this.#current === opened) this.#current = undefined;
      throw error;
    }
  }

  async #open(access: ApiAccess): Promise<Spoken> {
    for (const session of this.#sessions) session.retire();
    const socket = await openTls(access, this.#timing.connectMs, this.#stop.signal);
    if (socket.alpnProtocol !== "h2") {
      socket.destroy();
      return "http/1.1";
    }
    const session = new PingedSession(socket, access, this.#timing, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }
}

/** Below the path of a server that is reached through another one: `https://rancher.example/k8s/clusters/c-1`. */
function pathOn({ pathname }: URL, path: string): string {
  return pathname.endsWith("/") ? `${pathname.slice(0, -1)}${path}` : `${pathname}${path}`;
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}

/** Another server, CA or certificate is another connection; another token is not. */
function identityOf({ server, tls }: ApiAccess): string {
  const hash = createHash("sha256").update(server.href);
  for (const [name, value] of Object.entries(tls)) hash.update(`\n${name} ${String(value)}`);
  return hash.digest("hex");
}
