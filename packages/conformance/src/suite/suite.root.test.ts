import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { behaviours } from "../behaviours/index.ts";
import { runSuite, type TrialResult } from "./run.ts";

const PLUGIN = fileURLToPath(new URL("../testing/idle-backend.ts", import.meta.url));

/** Runs these against a backend that does nothing. */
async function runIdle(...ids: string[]): Promise<TrialResult[]> {
  const chosen = ids.map((id) => {
    const found = behaviours.find((behaviour) => behaviour.id === id);
    if (found === undefined) throw new Error(`no behaviour ${id}`);
    return found;
  });
  const options = { backend: "idle", backendConfig: {}, plugins: [PLUGIN], prefix: "mridle" };
  const wanted = { behaviours: chosen, families: [4], temperatures: ["cold"] } as const;
  const { results, logFailures } = await runSuite({ ...options, ...wanted });
  expect(logFailures).toEqual([]);
  return [...results];
}

describe("the suite, against a backend that does nothing", () => {
  it("passes what any node shows without redirection", async () => {
    const results = await runIdle("kubelet-probe", "udp-both-ways", "icmp", "x-proxy-own-port");
    expect(results.filter(({ passed }) => !passed)).toEqual([]);
    expect(results.every(({ evidence }) => evidence.length > 0)).toBe(true);
  });

  it.each([
    ["outbound-tcp", /the proxy saw: expected \["outbound .*saw \[\]/],
    ["outbound-vip", /the proxy saw: expected .*saw \[\]/],
    ["inbound-plaintext", /the proxy saw: expected \["inbound .*saw \[\]/],
    ["inbound-hbone", /answered by the proxy's sink/],
    ["plain-and-member", /the proxy saw: expected \["inbound .*saw \[\]/],
    ["fail-closed", /the connection from before is broken/],
    ["enrol-running-pod", /captured within a second/],
    ["proxy-same-uid-new-netns", /captured within a second/],
    ["drift-repair", /kinds of objects/],
    ["x-foreign-unspec-ahead", /the proxy saw: expected .*saw \[\]/],
  ] as const)("fails %s, and says why", async (id, why) => {
    const [result] = await runIdle(id);
    expect(result).toMatchObject({ id, passed: false, failure: expect.stringMatching(why) });
  });
});
