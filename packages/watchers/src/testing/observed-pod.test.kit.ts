import { inputs } from "@millrace/core/internal";
import type { ObservedInput } from "../objects/observed.ts";

/** A pod, told apart by its uid and its phase. */
export const observedPod = (uid: string, phase: "Running" | "Failed" = "Running"): ObservedInput =>
  inputs.podObserved({
    uid,
    namespace: "shop",
    name: uid,
    nodeName: "n1",
    labels: {},
    annotations: {},
    hostNetwork: false,
    phase,
    ready: true,
    terminating: false,
    addresses: [],
    createdAt: "2026-01-01T00:00:00.000Z",
  });
