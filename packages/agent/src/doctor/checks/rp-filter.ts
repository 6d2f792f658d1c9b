import { links, readSysctl } from "linux-ts";
import type { Check, Finding } from "../check.ts";

const STRICT = 1;
const PATH = (device: string) => `net/ipv4/conf/${device}/rp_filter`;
const SHOWN = 8;

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
 */
export function rpFilterFindings(readings: RpFilterReadings): readonly Finding[] {
  const strict = Object.entries(readings.veths)
    .filter(([, own]) => Math.max(own, readings.all) === STRICT)
    .map(([name]) => name)
    .sort();
  if (strict.length > 0) {
    const names =
      strict.slice(0, SHOWN).join(", ") + (strict.length > SHOWN ? ` and ${strict.length - SHOWN} more` : "");
    const because = readings.all === STRICT ? "all=1" : "their own value";
    return [
      {
        name: "rp_filter",
        state: "warn",
        detail: `strict on ${names} (by ${because}): packets a proxy sends for a pod through the node's stack are dropped; 2 (loose) serves`,
      },
    ];
  }
  if (readings.default === STRICT || readings.all === STRICT) {
    const where = readings.all === STRICT ? "all" : "default";
    return [
      {
        name: "rp_filter",
        state: "warn",
        detail: `${where}=1: the veth of the next pod will be strict; 2 (loose) serves`,
      },
    ];
  }
  return [
    { name: "rp_filter", state: "good", detail: `all=${readings.all}, default=${readings.default}, no veth is strict` },
  ];
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
  return rpFilterFindings({ all: read("all"), default: read("default"), veths });
};
