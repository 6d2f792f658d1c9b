import { type AccessSources, accessFrom, type LoadAccess } from "./api-access.ts";
import { ApiClient } from "./api-client.ts";
import { ApiTransport } from "./api-transport.ts";
import { type ApiTiming, DEFAULT_TIMING } from "./timing.ts";
import { tokenExpiry } from "./token-expiry.ts";

export interface KubernetesApiOptions extends Pick<AccessSources, "kubeconfig"> {
  /** Waits that differ from {@link DEFAULT_TIMING}. */
  readonly timing?: Partial<ApiTiming>;
  /** How the API server is reached, instead of `kubeconfig`. */
  readonly access?: LoadAccess;
}

/**
 * The API server, for all that one agent asks of it: the watches and everything else share one HTTP/2 connection. Connects when it is first
 * asked. Its methods reject with an `ApiStatusError` for a refusal, with ERR_KUBERNETES_ACCESS, ERR_KUBERNETES_UNREACHABLE,
 * ERR_KUBERNETES_SILENT, ERR_KUBERNETES_ANSWER, or the signal's reason. `what` is the request in words, for messages.
 */
export class KubernetesApi implements Disposable {
  readonly timing: ApiTiming;
  readonly client: ApiClient;
  readonly #access: LoadAccess;
  readonly #transport: ApiTransport;

  constructor({ kubeconfig, access = accessFrom({ kubeconfig }), timing }: KubernetesApiOptions) {
    this.timing = { ...DEFAULT_TIMING, ...timing };
    this.#access = access;
    this.#transport = new ApiTransport(this.timing);
    this.client = new ApiClient(access, this.#transport, this.timing);
  }

  get(path: string, what: string, signal: AbortSignal): Promise<unknown> {
    return this.client.object({ method: "GET", path }, what, signal);
  }

  create(path: string, object: object, what: string, signal: AbortSignal): Promise<unknown> {
    return this.client.object({ method: "POST", path, body: JSON.stringify(object) }, what, signal);
  }

  /** With a JSON merge patch (RFC 7396): members replace, null takes away. */
  mergePatch(path: string, patch: object, what: string, signal: AbortSignal): Promise<unknown> {
    const contentType = "application/merge-patch+json";
    return this.client.object({ method: "PATCH", path, body: JSON.stringify(patch), contentType }, what, signal);
  }

  /** With a JSON patch (RFC 6902): steps of which each has to succeed, `test` among them. */
  jsonPatch(path: string, steps: readonly object[], what: string, signal: AbortSignal): Promise<unknown> {
    const contentType = "application/json-patch+json";
    return this.client.object({ method: "PATCH", path, body: JSON.stringify(steps), contentType }, what, signal);
  }

  /** When the token that is on disk now ends, in milliseconds since the epoch; undefined where none says. Rejects with ERR_KUBERNETES_ACCESS. */
  async tokenExpiresAt(): Promise<number | undefined> {
    return tokenExpiry(await this.#access());
  }

  /** Ends every connection and all that goes on over it. */
  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }
}
