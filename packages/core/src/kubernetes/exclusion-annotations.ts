import type { Exclusions } from "../backend/contract.ts";
import { sortedUnique } from "../events/address.ts";
import { canonicalCidr } from "../events/cidr.ts";
import { ANNOTATIONS } from "./annotations.ts";

/** More of one kind than anybody writes by hand; a bound on what one pod's annotation can take up in the kernel's tables. */
export const MAX_EXCLUSIONS = 128;

/** What a pod's annotations exclude, and each entry that does not, in words. */
export interface ReadExclusions {
  readonly exclusions: Exclusions;
  readonly problems: readonly string[];
}

/**
 * Reads the annotations `millrace.dev/exclude-…`. An entry that cannot be read excludes nothing: a mistake must not let traffic past the
 * proxy. Empty entries, as a comma at the end leaves them, are none.
 */
export function readExclusions(annotations: Readonly<Record<string, string>>): ReadExclusions {
  const problems: string[] = [];
  const ports = (key: string) => {
    const read = entries(key, annotations[key], port, "no TCP port (1 to 65535)", problems);
    return [...new Set(read)].sort((a, b) => a - b);
  };
  const cidrs = (key: string) =>
    sortedUnique(entries(key, annotations[key], canonicalCidr, "no network such as 198.18.0.0/15", problems));
  const exclusions = {
    outboundPorts: ports(ANNOTATIONS.excludeOutboundPorts),
    outboundCidrs: cidrs(ANNOTATIONS.excludeOutboundCidrs),
    inboundPorts: ports(ANNOTATIONS.excludeInboundPorts),
    inboundCidrs: cidrs(ANNOTATIONS.excludeInboundCidrs),
  };
  return { exclusions, problems };
}

function entries<T>(
  key: string,
  list: string | undefined,
  read: (text: string) => T | undefined,
  otherwise: string,
  problems: string[],
): T[] {
  const texts = (list ?? "")
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "");
  if (texts.length > MAX_EXCLUSIONS) {
    problems.push(
      `annotation ${key} has ${texts.length} entries; those after the first ${MAX_EXCLUSIONS} exclude nothing`,
    );
  }
  return texts.slice(0, MAX_EXCLUSIONS).flatMap((text) => {
    const value = read(text);
    if (value !== undefined) return [value];
    problems.push(`annotation ${key}: ${JSON.stringify(text)} is ${otherwise} and excludes nothing`);
    return [];
  });
}

function port(text: string): number | undefined {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= 65_535 ? value : undefined;
}
