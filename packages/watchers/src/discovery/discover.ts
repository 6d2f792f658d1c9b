import { type EventData, errorMessage } from "@millrace/core/internal";
import { WatcherError } from "../errors.ts";
import type { VethPair } from "../netns/veth-pair.ts";
import { findByPeer } from "./by-peer.ts";
import { findByProcess } from "./by-process.ts";
import { findByRoute } from "./by-route.ts";
import type { DiscoveryPass } from "./discovery-pass.ts";
import { type DiscoveryMethod, NotFound } from "./method.ts";
import type { WantedPod } from "./wanted-pod.ts";

/** In the order they are tried: cheapest first. */
const methods = [
  ["route", findByRoute],
  ["peer", findByPeer],
  ["proc", findByProcess],
] as const satisfies readonly (readonly [string, DiscoveryMethod])[];

export type DiscoverySource = (typeof methods)[number][0];
type Attempts = EventData["discovery.failed"]["attempts"];

export type DiscoveryResult =
  | { readonly found: VethPair; readonly source: DiscoverySource; readonly attempts: Attempts }
  | { readonly found?: undefined; readonly attempts: Attempts };

/** Tries every method until one finds the pod's interface. What each said is in `attempts`. */
export async function discover(pod: WantedPod, pass: DiscoveryPass): Promise<DiscoveryResult> {
  const attempts: { method: string; outcome: string }[] = [];
  for (const [method, find] of methods) {
    try {
      const found = await find(pod, pass);
      attempts.push({ method, outcome: "found" });
      return { found, source: method, attempts };
    } catch (error) {
      if (!(error instanceof NotFound || error instanceof WatcherError)) throw error;
      attempts.push({ method, outcome: errorMessage(error) });
    }
  }
  return { attempts };
}
