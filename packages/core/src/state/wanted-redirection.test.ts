import { expect, test } from "vitest";
import { inputs } from "../events/inputs.ts";
import { subjects } from "../events/subjects.ts";
import { meshNamespace, pod, proxyPod, Scenario, started, synced, veth } from "../testing/scenario.ts";
import { wantedRedirection } from "./wanted-redirection.ts";

test("what was asked for, in one: proxies, node and members by uid, and not where they are placed", () => {
  const run = new Scenario();
  expect(wantedRedirection(run.state)).toEqual({
    node: { addresses: [] },
    proxies: { draining: [] },
    workloads: [],
  });
  run.feed(started(), meshNamespace(), synced, proxyPod(9), veth(9), pod(2), veth(2), pod(1), veth(1));
  run.succeed("proxies");
  const selected = { mode: "ebpf", backend: "ebpf", probes: [], reason: "named by redirectMode" };
  const request = { to: "iptables", mode: "ebpf", reason: "asked for by millrace switch" };
  run.feed(inputs.backendSelected(selected), inputs.switchRequested(request));
  expect(run.state.requested.get(subjects.proxies)?.spec).toHaveProperty("placement");
  const wanted = wantedRedirection(run.state);
  expect(wanted.proxies.active?.name).toBe("ztunnel-9");
  expect(wanted.workloads.map(({ name }) => name)).toEqual(["pod-1", "pod-2"]);
  for (const each of [wanted.proxies, ...wanted.workloads]) expect(each).not.toHaveProperty("placement");
});
