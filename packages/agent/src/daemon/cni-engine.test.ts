import { initialState, inputs, step } from "@millrace/core/internal";
import { expect, test } from "vitest";
import type { KernelView } from "../status/kernel-view.ts";
import { cniEngine } from "./cni-engine.ts";
import type { EnginePart } from "./engine-part.ts";
import type { ReconcilingPart } from "./reconciling-part.ts";

const uid = "u1";
const added = (containerId: string, source: "cni" | "route") =>
  inputs.interfaceAdded({
    containerId,
    uid,
    namespace: "shop",
    name: "a",
    netns: `/run/netns/${containerId}`,
    netnsInode: 7,
    ifName: "eth0",
    mac: "02:00:00:00:00:01",
    hostIfName: `h-${containerId}`,
    hostIfIndex: 4,
    addresses: ["198.18.1.10"],
    source,
  });
const observed = inputs.podObserved({
  uid,
  namespace: "shop",
  name: "a",
  nodeName: "n1",
  labels: {},
  annotations: {},
  hostNetwork: false,
  phase: "Running",
  ready: true,
  terminating: false,
  addresses: ["198.18.1.10"],
  createdAt: "2026-01-01T00:00:00.000Z",
});

test("attachments are the interfaces that CNI told of, not those that were found", () => {
  const state = [observed, added("by-cni", "cni"), added("found", "route")].reduce(
    (before, input) => step(before, input, "2026-01-01T00:00:00.000Z").state,
    initialState,
  );
  expect([...state.interfaces.keys()].sort()).toEqual(["by-cni", "found"]);
  const engine = cniEngine({ engine: { state } } as EnginePart, {} as ReconcilingPart, {} as KernelView);
  expect(engine.attachments()).toMatchObject([
    { containerId: "by-cni", uid, ifName: "eth0", netns: "/run/netns/by-cni", netnsInode: 7 },
  ]);
  expect(engine.attachment("by-cni")).toMatchObject({ containerId: "by-cni", ifName: "eth0" });
  for (const containerId of ["found", "unknown"]) expect(engine.attachment(containerId)).toBeUndefined();
});
