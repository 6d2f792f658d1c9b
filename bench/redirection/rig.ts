import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { haproxyBinary, type LabPod } from "@millrace/conformance";
import { haproxyConfig } from "./haproxy.ts";
import { nginxCommand } from "./nginx.ts";
import type { Rig } from "./sample.ts";

/** The programs of `rig/`, as `make build` leaves them. */
const program = (name: string): string => fileURLToPath(new URL(`../build/${name}`, import.meta.url));

export const SERVER_PORT = 8080;
/** Where a node proxy takes what members send (docs/node-proxy.md). */
export const PROXY_PORT = 15001;

/** The server: one that costs little, or nginx, where the proxy is one that users have. `directory` is its own, `sizes` those of the bodies that are asked for. */
export function serverCommand(rig: Rig, directory: string, sizes: readonly number[]): readonly string[] {
  return rig === "light" ? [program("httpd"), `${SERVER_PORT}`] : nginxCommand(directory, SERVER_PORT, sizes);
}

/**
 * The proxy in `pod`: transparent, or, where it knows its `server`, an explicit one that dials that whatever it is asked for. A configuration
 * file is written into `directory`.
 */
export function proxyCommand(rig: Rig, pod: LabPod, directory: string, server: LabPod | undefined): string[] {
  const fixed = server === undefined ? undefined : { address: server.address(4), port: SERVER_PORT };
  if (rig === "light") {
    return [program("relay"), `${PROXY_PORT}`, ...(fixed === undefined ? [] : [fixed.address, `${fixed.port}`])];
  }
  const file = join(directory, "haproxy.cfg");
  writeFileSync(file, haproxyConfig(PROXY_PORT, pod.addresses, fixed));
  return [haproxyBinary(), "-db", "-f", file];
}
