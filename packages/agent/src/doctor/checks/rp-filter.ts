import { readFileSync } from "node:fs";
import { links, readSysctl } from "linux-ts";
import type { Check, Finding } from "../check.ts";
import { parseMountinfo } from "./bpf-file-system.ts";

const STRICT = 1;
const PATH = (device: string) => `net/ipv4/conf/${device}/rp_filter`;
const SHOWN = 8;
const NET_SYSCTLS = "/proc/sys/net";

/** `rp_filter` of `all`, of `default`, and of each veth by name. 0 off, 1 strict, 2 loose. */
export interface RpFilterReadings {
  readonly all: number;
  readonly default: number;
  readonly veths: Readonly<Record<string, number>>;
}

/**
 * Strict reverse path filtering drops packets that do not come the way an answer would go: those that a proxy sends with a
 * pod's address are such packets when they pass through the node's own stack. The kernel takes the larger of `all` and the
 * device's own value (Documentation/networking/ip-sysctl), so `all=1` makes every device strict that is not 2 itself.
 *
 * Both backends live with it where they can write sysctls: the node proxy's own interface is the only one that has to be loose.
 */
export function rpFilterFindings(readings: RpFilterReadings, canWrite: boolean): readonly Finding[] {
  const name = "rp_filter";
  const strict = Object.entries(readings.veths)
    .filter(([, own]) => Math.max(own, readings.all) === STRICT)
    .map(([veth]) => veth)
    .sort();
  const where = whereStrict(readings, strict);
  if (where === undefined) {
    return [{ name, state: "good", detail: `all=${readings.all}, default=${readings.default}, no veth is strict` }];
  }
  return [
    canWrite
      ? {
          name,
          state: "note",
          detail: `${where}: may stay. On the node proxy's interface the agent sets 2 (loose), and puts back what stood there`,
        }
      : {
          name,
          state: "bad",
          detail:
            `${where}, and /proc/sys is read-only here: the agent cannot make the node proxy's interface loose (2), and what a proxy ` +
            "sends for a pod is dropped there. Run the container privileged, or mount /proc/sys/net read-write",
        },
  ];
}

function whereStrict(readings: RpFilterReadings, strict: readonly string[]): string | undefined {
  if (strict.length > 0) {
    const names = strict.slice(0, SHOWN).join(", ");
    const more = strict.length > SHOWN ? ` and ${strict.length - SHOWN} more` : "";
    return `strict on ${names}${more} (by ${readings.all === STRICT ? "all=1" : "their own value"})`;
  }
  if (readings.all === STRICT) return "all=1: the veth of the next pod will be strict";
  return readings.default === STRICT ? "default=1: the veth of the next pod will be strict" : undefined;
}

/** Containers that are not privileged have all of /proc/sys read-only (OCI runtime: `readonlyPaths`); one part of it may be writable again. */
export function canWriteSysctls(mountinfo: string): boolean {
  const covering = parseMountinfo(mountinfo).filter(
    ({ point }) => point === "/" || `${NET_SYSCTLS}/`.startsWith(`${point}/`),
  );
  const longest = Math.max(...covering.map(({ point }) => point.length));
  return covering.findLast(({ point }) => point.length === longest)?.readOnly !== true;
}

export const rpFilter: Check = () => {
  const read = (device: string) => Number(readSysctl(undefined, PATH(device)));
  const veths: Record<string, number> = {};
  for (const link of links().filter(({ kind }) => kind === "veth")) {
    try {
      veths[link.name] = read(link.name);
    } catch (error) {
      // a veth that went away since the list was made is no finding
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  const canWrite = canWriteSysctls(readFileSync("/proc/self/mountinfo", "utf8"));
  return rpFilterFindings({ all: read("all"), default: read("default"), veths }, canWrite);
};
