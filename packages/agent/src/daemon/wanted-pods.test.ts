import {
  decisionConfiguration,
  type EventInput,
  initialState,
  inputs,
  parseConfiguration,
  step,
} from "@millrace/core/internal";
import { BehaviorSubject } from "rxjs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { podsWithoutInterface, wantedPods } from "./wanted-pods.ts";

const config = decisionConfiguration(parseConfiguration({ node: { name: "n1" } }));

function pod(name: string, changes: Partial<Parameters<typeof inputs.podObserved>[0]> = {}): EventInput {
  return inputs.podObserved({
    uid: name,
    namespace: "shop",
    name,
    nodeName: "n1",
    labels: {},
    annotations: {},
    hostNetwork: false,
    phase: "Running",
    ready: true,
    terminating: false,
    addresses: ["198.18.1.11"],
    createdAt: "2026-01-01T00:00:00.000Z",
    ...changes,
  });
}

const veth = (uid: string) =>
  inputs.interfaceAdded({
    containerId: `c-${uid}`,
    uid,
    namespace: "shop",
    name: uid,
    netns: `/run/netns/${uid}`,
    netnsInode: 1,
    ifName: "eth0",
    mac: "02:00:00:00:00:01",
    hostIfName: "h",
    hostIfIndex: 2,
    addresses: ["198.18.1.11"],
    source: "route",
  });

const after = (...events: readonly EventInput[]) =>
  events.reduce((state, input) => step(state, input, "2026-01-01T00:00:00.000Z").state, initialState);

const base = [
  inputs.agentStarted({ version: "0", node: "n1", config }),
  inputs.namespaceObserved({ name: "shop", labels: { "istio.io/dataplane-mode": "ambient" } }),
];
const names = (...events: readonly EventInput[]) =>
  podsWithoutInterface(after(...base, ...events)).map(({ name }) => name);
const ztunnel = { namespace: "istio-system", labels: { app: "ztunnel" } };

test("members and node proxies without an interface are sought, sorted", () => {
  expect(names(pod("web"), pod("api"), pod("z", ztunnel))).toEqual(["api", "web", "z"]);
});

test.each<[string, EventInput[]]>([
  ["one with an interface", [pod("web"), veth("web")]],
  ["a pod that is no member", [pod("web", { namespace: "plain" })]],
  ["a pod of another node", [pod("web", { nodeName: "n2" })]],
  ["a proxy of another node", [pod("z", { ...ztunnel, nodeName: "n2" })]],
  ["a pod of the host's network", [pod("web", { hostNetwork: true })]],
  ["a proxy of the host's network", [pod("z", { ...ztunnel, hostNetwork: true })]],
  ["a pod that has no address yet", [pod("web", { addresses: [] })]],
  ["a pod that has ended", [pod("web", { phase: "Succeeded" })]],
])("%s is not sought", (_name, events) => {
  expect(names(...events)).toEqual([]);
});

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("told at once, then only when the list changes, and a burst once", () => {
  const state$ = new BehaviorSubject(after(...base));
  const told: string[][] = [];
  using _subscription = { [Symbol.dispose]: () => subscription.unsubscribe() };
  const subscription = wantedPods(state$).subscribe((pods) => told.push(pods.map(({ name }) => name)));
  expect(told).toEqual([[]]);
  for (let index = 0; index < 10; index += 1) state$.next(after(...base, pod("web"), pod("api")));
  vi.advanceTimersByTime(500);
  state$.next(after(...base, pod("web"), pod("api"), inputs.hostAddresses(["198.19.0.1"])));
  vi.advanceTimersByTime(500);
  expect(told).toEqual([[], ["api", "web"]]);
});
