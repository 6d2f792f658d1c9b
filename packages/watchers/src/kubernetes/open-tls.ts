import { connect, type TLSSocket } from "node:tls";
import type { ApiAccess } from "./api-access.ts";
import { unreachable } from "./api-errors.ts";

/** Idle time before TCP asks the peer; Linux then asks each second, ten times (libuv, `uv__tcp_keepalive`). A cut-off peer is gone 20 s later. */
export const KEEP_ALIVE_MS = 10_000;

/**
 * Connects and shakes hands; the socket's `alpnProtocol` says whether the server speaks `h2`.
 * Rejects with ERR_KUBERNETES_UNREACHABLE after `connectMs` at the latest, or with the signal's reason.
 */
export function openTls(access: ApiAccess, connectMs: number, signal: AbortSignal): Promise<TLSSocket> {
  signal.throwIfAborted();
  const { hostname, port } = access.server;
  const socket = connect({
    ...access.tls,
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? 443 : Number(port),
    ALPNProtocols: ["h2", "http/1.1"],
  });
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  socket.setNoDelay(true);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${connectMs} ms`)), connectMs);
    const stop = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error("stopped"));
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    };
    signal.addEventListener("abort", stop, { once: true });
    socket.once("secureConnect", () => {
      settle();
      socket.off("error", failed);
      resolve(socket);
    });
    const failed = (error: Error) => {
      settle();
      reject(signal.aborted ? signal.reason : unreachable(access.server, error));
    };
    socket.once("error", failed);
  });
}
