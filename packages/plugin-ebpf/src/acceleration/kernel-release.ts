import { release } from "node:os";
import { EbpfError } from "../errors.ts";

/**
 * Before 6.1 a socket loses what was redirected to it and is not read yet when both ends have sent their FIN or one a RST: it left the
 * map as soon as TCP was done with it (net/core/sock_map.c, sock_map_unhash(); since commit d8616ee2affc when it is closed). That cannot be tried
 * without losing bytes now and then, so the release is asked.
 */
const OLDEST = [6, 1] as const;

/** Throws `ERR_ACCELERATION_UNSUPPORTED`. `running`: as uname(2) gives it. */
export function requireKernel(running = release()): void {
  const [major = 0, minor = 0] = running.split(".").map((part) => Number.parseInt(part, 10));
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  throw new EbpfError(
    "ERR_ACCELERATION_UNSUPPORTED",
    `Linux ${running} can lose bytes of accelerated connections as they end: use ${OLDEST.join(".")} or newer, or set acceleration to off`,
  );
}
