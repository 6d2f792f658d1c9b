import { fileURLToPath } from "node:url";

/** The programs of `rig/`, as `make build` leaves them. */
const program = (name: string): string => fileURLToPath(new URL(`../build/${name}`, import.meta.url));

export const SERVER_PORT = 8080;
/** Where a node proxy takes what members send (docs/node-proxy.md). */
export const PROXY_PORT = 15001;

export const HTTPD: readonly string[] = [program("httpd"), `${SERVER_PORT}`];
export const TRANSPARENT_RELAY: readonly string[] = [program("relay"), `${PROXY_PORT}`];

/** A relay that dials this server, whatever it is asked for. */
export const explicitRelay = (server: string): string[] => [...TRANSPARENT_RELAY, server, `${SERVER_PORT}`];
