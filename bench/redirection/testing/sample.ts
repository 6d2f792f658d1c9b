import { HTTP } from "../loads.ts";
import type { Sample } from "../sample.ts";

/** A sample of one second with 1,000 requests, but for what is told. */
export function sampleOf(told: Partial<Sample> = {}): Sample {
  return {
    load: HTTP,
    rig: "light",
    pinning: "one-cpu",
    path: "same-node",
    mode: "direct",
    repetition: 1,
    requests: 1_000,
    seconds: 1,
    bytes: 200_000,
    failed: 0,
    p50: 1,
    p75: 2,
    p99: 3,
    cpu: { client: 0.25, proxy: 0.5, server: 0.25 },
    proxy: { accepted: 0, bytes: 0 },
    ...told,
  };
}
