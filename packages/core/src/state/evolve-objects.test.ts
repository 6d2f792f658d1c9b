import { describe, expect, test } from "vitest";
import { inputs } from "../events/inputs.ts";
import { describeWorkloads } from "../status/describe.ts";
import { meshNamespace, pod, Scenario, started, synced, veth } from "../testing/scenario.ts";
import { interfaceOf, ownerOf } from "./queries.ts";

describe("a pod's object that goes", () => {
  const after = (source: "cni" | "route"): Scenario => {
    const run = new Scenario();
    run.feed(started(), synced, meshNamespace(), pod(1), veth(1, { source }), inputs.podRemoved("uid-1"));
    return run;
  };

  test("takes along an interface that was inferred from it, and its claim to the addresses", () => {
    const { state } = after("route");
    expect(interfaceOf(state, "uid-1")).toBeUndefined();
    expect(ownerOf(state, "198.18.1.11")).toBeUndefined();
    // Asked for and not confirmed to be gone; but nothing says any longer that there is such a sandbox.
    expect(describeWorkloads(state)).toMatchObject([{ uid: "uid-1", addresses: [], requested: "remove" }]);
  });

  test("makes void what is found for it afterwards", () => {
    const run = after("route");
    run.feed(veth(1, { source: "peer" }));
    expect(interfaceOf(run.state, "uid-1")).toBeUndefined();
    run.feed(pod(1), veth(1, { source: "peer" }));
    expect(interfaceOf(run.state, "uid-1")?.source).toBe("peer");
  });

  test("leaves what CNI told us to CNI", () => {
    const { state } = after("cni");
    expect(interfaceOf(state, "uid-1")?.source).toBe("cni");
    expect(ownerOf(state, "198.18.1.11")).toBe("uid-1");
  });
});
