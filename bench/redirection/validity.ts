import { figureOf, type ProxyTraffic, type Sample } from "./sample.ts";

/** Below this part of what was asked for, a latency says how long the queue was, and not how long the way is. */
export const LEAST_QPS = 7_900;

/**
 * Why a sample went another way than its mode's; `undefined` where it did not. All that the client read came into the proxy's network namespace
 * first, or nothing did.
 */
export function wrongWay(isProxied: boolean, proxy: ProxyTraffic, bytesRead: number): string | undefined {
  if (!isProxied) {
    return proxy.accepted === 0 ? undefined : `the proxy accepted ${proxy.accepted} connections that are not for it`;
  }
  if (proxy.accepted === 0) return "the proxy accepted no connection";
  return proxy.bytes >= bytesRead ? undefined : `of ${bytesRead} bytes only ${proxy.bytes} came to the proxy`;
}

/** Why a sample's figure means nothing; `undefined` where it does. */
export function invalidity(sample: Sample): string | undefined {
  const { load, requests, seconds, failed, mode } = sample;
  if (failed > 0) return `${mode}: ${failed} of ${requests} requests failed`;
  if (requests === 0) return `${mode}: no request was answered`;
  if (!Number.isFinite(figureOf(sample))) return `${mode}: its figure is no number`;
  const qps = requests / seconds;
  if (load.qps === undefined || qps >= (load.qps * LEAST_QPS) / 8_000) return undefined;
  return `${mode}: ${qps.toFixed(0)} of ${load.qps} requests/s`;
}

/** The same of all samples that are compared with each other: one that is invalid makes the comparison so. One reason for each mode. */
export function invalidRow(samples: readonly Sample[]): string | undefined {
  const reasons = new Map<string, string>();
  for (const sample of samples) {
    const reason = invalidity(sample);
    if (reason !== undefined && !reasons.has(sample.mode)) reasons.set(sample.mode, reason);
  }
  return reasons.size === 0 ? undefined : [...reasons.values()].join("; ");
}
