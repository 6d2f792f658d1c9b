import type { Load } from "./loads.ts";

/** Where all programs of a cell may run: on one processor, or on any. */
export type Pinning = "one-cpu" | "any-cpu";
/** Where the server is, seen from the client. */
export type Path = "same-node" | "two-nodes";

/** Which proxy and server there are: those of `rig/`, behind which the way shows, or HAProxy and nginx, which users have. */
export type Rig = "light" | "haproxy";

/** What a client counted. Times are in milliseconds. */
export interface Counted {
  readonly requests: number;
  readonly seconds: number;
  /** That it read, heads of answers too. */
  readonly bytes: number;
  /** Requests without the answer that was wanted. */
  readonly failed: number;
  readonly p50: number;
  readonly p75: number;
  readonly p99: number;
}

/** What the kernel of the proxy's network namespace counted meanwhile. */
export interface ProxyTraffic {
  /** Connections that were accepted (TCP-MIB tcpPassiveOpens, RFC 4022). */
  readonly accepted: number;
  /** Octets of IPv4 packets that came in (IP-MIB ipSystemStatsInOctets, RFC 4293). */
  readonly bytes: number;
}

/** Seconds of processor time. */
export interface CpuTimes {
  readonly client: number;
  readonly proxy: number;
  readonly server: number;
}

/** One run of one load in one cell. */
export interface Sample extends Counted {
  readonly rig: Rig;
  readonly pinning: Pinning;
  readonly path: Path;
  readonly mode: string;
  /** From 1 up. */
  readonly repetition: number;
  readonly load: Load;
  readonly cpu: CpuTimes;
  readonly proxy: ProxyTraffic;
}

/** What the load's figure is, in its unit. */
export function figureOf({ load, requests, seconds, bytes, p75 }: Sample): number {
  if (load.figure === "p75") return p75;
  return load.figure === "bulk" ? bytes / 1e6 / seconds : requests / seconds;
}

/** The client's part of all processor time that the three programs used, from 0 to 1. */
export function clientShare({ cpu: { client, proxy, server } }: Sample): number {
  const all = client + proxy + server;
  return all === 0 ? 0 : client / all;
}

/** Microseconds of processor time for a request, of all three programs. */
export function cpuPerRequest({ cpu: { client, proxy, server }, requests }: Sample): number {
  return ((client + proxy + server) * 1e6) / requests;
}
