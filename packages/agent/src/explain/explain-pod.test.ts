import type { Explanation, Flow, Redirection } from "@millrace/core";
import {
  decisionConfiguration,
  type EventInput,
  initialState,
  inputs,
  parseConfiguration,
  step,
} from "@millrace/core/internal";
import { expect, test } from "vitest";
import { paletteFor } from "../cli/colour.ts";
import { explainPod, type Serving } from "./explain-pod.ts";
import { explainParameters, explainQuery } from "./explain-query.ts";
import { lastEvents } from "./last-events.ts";
import { renderExplanation } from "./render-explanation.ts";

const at = (second: number) => new Date(Date.UTC(2026, 0, 2, 3, 0, second)).toISOString();
const config = decisionConfiguration(parseConfiguration({ node: { name: "n1" } }));

const pod = (uid: string, namespace: string, addresses: string[]): EventInput =>
  inputs.podObserved({
    uid,
    namespace,
    name: "web",
    nodeName: "n1",
    labels: {},
    annotations: {},
    hostNetwork: false,
    phase: "Running",
    ready: true,
    terminating: false,
    addresses,
    createdAt: at(0),
  });

const events = [
  inputs.agentStarted({ version: "0.1.0", node: "n1", config }),
  inputs.namespaceObserved({ name: "shop", labels: { "istio.io/dataplane-mode": "ambient" } }),
  inputs.namespaceObserved({ name: "plain", labels: {} }),
  pod("uid-member", "shop", ["198.18.1.11"]),
  pod("uid-plain", "plain", ["198.18.1.12"]),
  inputs.watchSynced("manifests"),
];
const state = events.reduce((before, input, index) => step(before, input, at(index)).state, initialState);
const flow = { protocol: "tcp", direction: "outbound", peer: "198.18.9.9", port: 80 } as const;

/** A backend that notes what it is asked. */
function serving(explain?: (flow: Flow) => Promise<Explanation>): Serving {
  return { backend: "made-up", by: () => ({ explain }) as unknown as Redirection };
}

test("a pod that is no member: why, by name and by uid", async () => {
  for (const name of ["plain/web", "uid-plain"]) {
    expect(await explainPod(state, undefined, { pod: name })).toEqual({
      pod: { uid: "uid-plain", namespace: "plain", name: "web", addresses: ["198.18.1.12"] },
      membership: "not-member",
      reason: "namespace plain has no label istio.io/dataplane-mode=ambient",
      subjects: ["namespace/plain", "pod/uid-plain", "workload/uid-plain", "proxies"],
    });
  }
  await expect(explainPod(state, undefined, { pod: "shop/other" })).rejects.toMatchObject({ code: "ERR_POD_UNKNOWN" });
});

test("a flow is explained by what serves, with the pod's address of its family", async () => {
  const asked: Flow[] = [];
  const explanation: Explanation = {
    fate: "captured",
    to: { proxy: "z", port: 15_001 },
    steps: [{ object: "a rule", does: "leads there" }],
    problems: ["a route is missing"],
  };
  const explained = await explainPod(
    state,
    serving(async (about) => {
      asked.push(about);
      return explanation;
    }),
    { pod: "shop/web", flow },
  );
  expect(asked).toEqual([{ ...flow, uid: "uid-member", address: "198.18.1.11" }]);
  expect(explained).toMatchObject({ backend: "made-up", explanation });
  const text = renderExplanation(explained, lastEvents("/nowhere/events.db", []), paletteFor({}, {}));
  expect(text).toContain("  events not read: ERR_LOG_UNREADABLE: /nowhere/events.db does not exist");
  expect(text).toContain("TCP from 198.18.1.11 to 198.18.9.9:80\n  1. a rule: leads there\n  but a route is missing\n");
  expect(text).toMatch(/captured by z, port 15001 \(made-up, as far as the kernel is as it should be\)\n$/);
});

test("in the middle of a switch whoever has the workload explains, and the other one is told", async () => {
  let now = state;
  const feed = (...given: EventInput[]) => {
    for (const input of given) now = step(now, input, at(9)).state;
  };
  const applied = (...subjects: string[]) => {
    for (const subject of subjects) {
      const { action = "apply", seq: generation = 0 } = now.requested.get(subject) ?? {};
      feed({
        type: "redirection.applied",
        subject,
        data: { action, generation, durationMs: 1, attempt: 1 },
      } as EventInput);
    }
  };
  const asked: string[] = [];
  const both: Serving = {
    backend: "old",
    by: (backend) =>
      ({
        explain: async () => {
          asked.push(backend);
          return { fate: "captured", steps: [], problems: [] };
        },
      }) as unknown as Redirection,
  };
  const explained = async () => (await explainPod(now, both, { pod: "shop/web", flow })).explanation?.problems;
  feed(
    inputs.backendSelected({ mode: "old", backend: "old", probes: [], reason: "named by redirectMode" }),
    inputs.interfaceAdded({
      containerId: "c1",
      uid: "uid-member",
      namespace: "shop",
      name: "web",
      netns: "/run/netns/w",
      netnsInode: 7,
      ifName: "eth0",
      mac: "02:00:00:00:00:01",
      hostIfName: "h-web",
      hostIfIndex: 3,
      addresses: ["198.18.1.11"],
      source: "cni",
    }),
  );
  applied("workload/uid-member");
  expect(await explained()).toEqual([]);
  feed(inputs.switchRequested({ to: "new", mode: "old", reason: "asked for" }));
  applied("proxies");
  expect(await explained()).toEqual(["new has the workload as well, in the middle of a switch"]);
  applied("workload/uid-member");
  expect(await explained()).toEqual(["old has the workload as well, in the middle of a switch"]);
  applied("workload/uid-member");
  expect(await explained()).toEqual([]);
  expect(asked).toEqual(["old", "old", "new", "new"]);
  const [member, plain] = await Promise.all(["shop/web", "plain/web"].map((pod) => explainPod(now, both, { pod })));
  expect([member?.backend, plain?.backend]).toEqual(["new", "old"]);
  expect(member?.subjects).toContain("switch");
});

test("what cannot be explained is said, and why", async () => {
  const why = async (by: Serving | undefined, peer: string = flow.peer) =>
    (await explainPod(state, by, { pod: "shop/web", flow: { ...flow, peer } })).unexplained;
  expect(await why(undefined)).toBe("no redirection is open: `millrace status` says why");
  expect(await why(serving())).toBe("backend made-up cannot explain itself");
  expect(await why(serving(), "2001:2::1")).toBe("the pod has no IPv6 address");
  const failing = serving(() => Promise.reject(Object.assign(new Error("map is gone"), { code: "ENOENT" })));
  expect(await why(failing)).toBe("ENOENT: map is gone");
});

test("a query is read as it was written, and one that is none is refused", () => {
  for (const query of [{ pod: "shop/web" }, { pod: "a&b=c", flow: { ...flow, peer: "2001:2::1" } }]) {
    expect(explainQuery(new URLSearchParams(`${explainParameters(query)}`))).toEqual(query);
  }
  for (const text of ["", "pod=", "pod=x&peer=198.18.0.1", "pod=x&peer=web&port=1", "pod=x&port=x"]) {
    const read = () => explainQuery(new URLSearchParams(text));
    expect(read, text).toThrow(expect.objectContaining({ code: "ERR_FLOW_INVALID" }));
  }
});
