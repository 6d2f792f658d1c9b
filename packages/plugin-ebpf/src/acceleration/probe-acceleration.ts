import type { Feature } from "@millrace/core";
import { BpfObject } from "libbpf-ts";
import type { EbpfConfig } from "../config.ts";
import { explainFailure } from "../errors.ts";
import { ACCELERATION_OBJECT } from "../objects.ts";
import { requireKernel } from "./kernel-release.ts";
import { podCgroup } from "./pod-cgroup.ts";

/** What the acceleration takes, where it is configured. The backend does without it, so it is never required. */
export function accelerationFeatures(config: EbpfConfig): Feature[] {
  if (config.acceleration === "off") return [];
  const about = { name: "bpf.acceleration", description: "accelerate what annotated members send", required: false };
  try {
    requireKernel();
    const cgroup = podCgroup(config.accelerationCgroup);
    using loaded = BpfObject.open(ACCELERATION_OBJECT);
    loaded.load();
    return [{ ...about, available: true, detail: `the verifier accepts its programs; they go to ${cgroup}` }];
  } catch (error) {
    return [{ ...about, available: false, detail: explainFailure("trying the acceleration", error).message }];
  }
}
