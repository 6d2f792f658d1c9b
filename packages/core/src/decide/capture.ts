import type { Workload } from "../backend/contract.ts";
import { ANNOTATIONS } from "../kubernetes/annotations.ts";
import { readExclusions } from "../kubernetes/exclusion-annotations.ts";

/** What of a member's traffic is captured beyond its TCP, what of its TCP is not, whether it may be accelerated, and which annotations could not be read. */
export interface Capture extends Pick<Workload, "dnsCapture" | "exclusions"> {
  readonly acceleration?: true;
  /** One phrase each. */
  readonly problems: readonly string[];
}

/** Of nearly every pod. */
const { exclusions: NOTHING } = readExclusions({});

/** Reads a pod's annotations. Where one cannot be read, `nodeDnsCapture` stands, nothing is excluded and nothing accelerated. */
export function captureOf(annotations: Readonly<Record<string, string>>, nodeDnsCapture: boolean): Capture {
  if (Object.keys(annotations).length === 0) return { dnsCapture: nodeDnsCapture, exclusions: NOTHING, problems: [] };
  const { exclusions, problems } = readExclusions(annotations);
  const unreadable: string[] = [];
  let dnsCapture = nodeDnsCapture;
  // The later one wins.
  for (const key of [ANNOTATIONS.ambientDnsCapture, ANNOTATIONS.dnsCapture]) {
    const value = annotations[key];
    if (value === "true" || value === "false") dnsCapture = value === "true";
    else if (value !== undefined) unreadable.push(`annotation ${key} is ${JSON.stringify(value)}, not true or false`);
  }
  const wanted = annotations[ANNOTATIONS.acceleration];
  const acceleration = wanted === "sockmap";
  if (wanted !== undefined && wanted !== "off" && !acceleration)
    unreadable.push(`annotation ${ANNOTATIONS.acceleration} is ${JSON.stringify(wanted)}, not sockmap or off`);
  return { dnsCapture, exclusions, ...(acceleration && { acceleration }), problems: [...unreadable, ...problems] };
}
