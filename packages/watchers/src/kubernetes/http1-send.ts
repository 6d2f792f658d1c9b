import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { ApiAccess } from "./api-access.ts";
import { unreachable } from "./api-errors.ts";
import type { ApiRequest } from "./api-request.ts";
import { type ApiResponse, retryAfterMs } from "./api-response.ts";
import { KEEP_ALIVE_MS } from "./open-tls.ts";

/**
 * A request on a connection of its own over HTTP/1.1: for `kubectl proxy`, for a kubeconfig's `proxy-url`, and for what terminates TLS in
 * front of an API server without HTTP/2. Nobody can ask such a connection whether the other end is alive; `silenceMs` bounds the wait.
 * Rejects with ERR_KUBERNETES_UNREACHABLE or the signal's reason.
 */
export function http1Send(
  access: ApiAccess,
  { method, path, body }: ApiRequest,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<ApiResponse> {
  const { server, tls, agent } = access;
  const make = server.protocol === "http:" ? httpRequest : httpsRequest;
  return new Promise((resolve, reject) => {
    const request = make(new URL(path, server), { ...tls, method, agent, headers, signal });
    request.on("socket", (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
    // Stays for the life of the request: whoever reads the body hears of the error there.
    request.on("error", (error) => reject(signal.aborted ? signal.reason : unreachable(server, error)));
    request.once("response", (response) => {
      resolve({
        status: response.statusCode ?? 0,
        retryAfterMs: retryAfterMs(response.headers["retry-after"]),
        body: response,
      });
    });
    request.end(body);
  });
}
