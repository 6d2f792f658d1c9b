import { once } from "node:events";
import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { errorCode, errorMessage } from "@millrace/core/internal";
import { WatcherError } from "../errors.ts";

/** `sizeof(sockaddr_un.sun_path)` is 108 with the terminating NUL: unix(7). */
const MAX_PATH_BYTES = 107;

/**
 * Listens on a UNIX socket that only root may connect to. A socket file that nobody answers on is what an agent that was killed
 * left behind, and is replaced; anything else at that path stays.
 * @throws {WatcherError} `ERR_SOCKET_PATH`, `ERR_SOCKET_IN_USE`, `ERR_SOCKET`
 */
export async function listen(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new WatcherError(
      "ERR_SOCKET_PATH",
      `${path} is longer than the ${MAX_PATH_BYTES} bytes a UNIX socket's path may have`,
    );
  }
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await removeStale(path);
    server.listen({ path });
    await once(server, "listening");
    // Until here the umask decides who may connect; each peer's credentials are checked all the same.
    await chmod(path, 0o600);
  } catch (cause) {
    server.close();
    if (cause instanceof WatcherError) throw cause;
    throw new WatcherError("ERR_SOCKET", `cannot open the CNI socket ${path}: ${errorMessage(cause)}`, { cause });
  }
}

async function removeStale(path: string): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = (await lstat(path)).isSocket();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  if (!isSocket) {
    throw new WatcherError(
      "ERR_SOCKET_PATH",
      `${path} is there and is no socket; it was left alone: remove it, or choose another path`,
    );
  }
  if (await answers(path)) {
    throw new WatcherError(
      "ERR_SOCKET_IN_USE",
      `another process answers on ${path}; stop it first, or choose another path`,
    );
  }
  await unlink(path);
}

async function answers(path: string): Promise<boolean> {
  const socket = connect({ path });
  try {
    await once(socket, "connect");
    return true;
  } catch (error) {
    // Refused: bound once, and nobody listens. ENOENT: gone meanwhile. Anything else (a full backlog is EAGAIN) is a sign of life.
    const code = errorCode(error);
    return code !== "ECONNREFUSED" && code !== "ENOENT";
  } finally {
    socket.destroy();
  }
}
