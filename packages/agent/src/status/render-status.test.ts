import { expect, test } from "vitest";
import { paletteFor } from "../cli/colour.ts";
import { EXIT } from "../exit-codes.ts";
import { renderStatus } from "./render-status.ts";
import { STATUS_VERSION, type Status, statusSchema, type WorkloadStatus } from "./status-document.ts";
import { verdict } from "./verdict.ts";

const plain = paletteFor({}, {});
const NOW = "2026-01-02T03:10:00.000Z";

const web: WorkloadStatus = {
  uid: "0f8fad5b-d9cb-469f-a165-70867728950e",
  namespace: "shop",
  name: "web-1",
  addresses: ["198.18.1.11", "2001:2:0:1::11"],
  state: "enrolled",
  since: "2026-01-02T03:00:00.000Z",
  agreedAt: "2026-01-02T03:09:57.000Z",
  problems: [],
  foreign: [],
};

const healthy: Status = {
  statusVersion: STATUS_VERSION,
  time: NOW,
  agent: {
    version: "0.1.0",
    node: "n1",
    pid: 42,
    startedAt: "2026-01-02T02:00:00.000Z",
    redirectMode: "auto",
    backend: "ebpf",
    selection: {
      reason: "first of the list, and capable",
      probes: [{ backend: "ebpf", capable: true, summary: "keeps all of the contract, attaching by tcx links" }],
    },
    failurePolicy: "closed",
  },
  plugins: [],
  earlier: [],
  observation: { time: "2026-01-02T03:09:57.000Z", problems: [], nodeAddresses: ["198.19.0.1"] },
  eventLog: { path: "/var/lib/millrace/events.db", lastSeq: 12, state: "healthy", lostEvents: 0 },
  problems: [],
  workloads: [web],
  proxies: [
    {
      uid: "7c9e6679-7425-40de-944b-e07fc1f90ae7",
      key: "k",
      namespace: "istio-system",
      name: "ztunnel-1",
      addresses: ["198.18.1.20"],
      role: "active",
      state: "complete",
      problems: [],
    },
  ],
  watches: [{ name: "manifests", state: "synced", since: "2026-01-02T02:00:01.000Z" }],
  counters: { "app_outbound.captured": 7, "app_outbound.dropped": 0 },
  maps: {},
};

test("a plugin that fails is told by its name", () => {
  const trouble = { name: "mine", failures: 2, ends: 1, time: "2026-01-02T03:09:30.000Z" };
  const failing: Status = {
    ...healthy,
    plugins: [{ ...trouble, code: "ERR_PLUGIN_PROCESS", message: "its event loop has stood still for 15000 ms" }],
  };
  expect(statusSchema.parse(failing)).toEqual(failing);
  expect(renderStatus(failing, plain)).toContain(
    "plugin mine: 2 calls failed, its process ended 1 times; last 30s ago: ERR_PLUGIN_PROCESS: its event loop has stood still for 15000 ms\n",
  );
});

test("a node whose kernel cannot be read", () => {
  const unread = { since: "2026-01-02T03:09:58.000Z", attempts: 3, code: "EPERM", message: "not today" };
  const unseen: Status = {
    ...healthy,
    unread,
    workloads: [{ ...web, state: "unseen", reason: "the kernel cannot be read now" }],
  };
  expect(statusSchema.parse(unseen)).toEqual(unseen);
  const complaints = [
    "the kernel cannot be read: EPERM: not today; it was last read at 2026-01-02T03:09:57.000Z",
    "1 workload unseen",
  ];
  expect(verdict(unseen)).toEqual({ exit: EXIT.unhealthy, complaints });
  const shown = renderStatus(unseen, plain);
  for (const complaint of complaints) expect(shown).toContain(`! ${complaint}\n`);
  expect(shown).toContain("unseen (the kernel cannot be read now)");
  const { observation: _, ...never } = unseen;
  expect(verdict(never).complaints[0]).toBe("the kernel cannot be read: EPERM: not today; it has not been read yet");
});

test("a healthy node", () => {
  expect(statusSchema.parse(healthy)).toEqual(healthy);
  expect(verdict(healthy)).toEqual({ exit: EXIT.ok, complaints: [] });
  expect(renderStatus(healthy, plain)).toMatchInlineSnapshot(`
    "n1: backend ebpf (redirectMode auto), fails closed, agent 0.1.0 pid 42, up 1h10m
    kernel last read 3s ago, at 2026-01-02T03:09:57.000Z
    why ebpf: first of the list, and capable
    how: keeps all of the contract, attaching by tcx links

    WORKLOAD    UID       ADDRESSES                   BACKEND  STATE     SINCE  AGREED
    shop/web-1  0f8fad5b  198.18.1.11,2001:2:0:1::11  ebpf     enrolled  10m    3s

    PROXY                   UID       ADDRESSES    ROLE    STATE
    istio-system/ztunnel-1  7c9e6679  198.18.1.20  active  complete

    WATCH      STATE   SINCE  REASON
    manifests  synced  1h9m

    COUNTER                TOTAL
    app_outbound.captured      7
    "
  `);
});

test("what is wrong is said first, and each problem with its workload", () => {
  const status: Status = {
    ...healthy,
    workloads: [
      {
        ...web,
        state: "partial",
        problems: ["app_outbound is not attached to h-m1"],
        foreign: [{ kind: "tcx program", where: "h-m1 ingress", owner: "other", effect: "runs before app_outbound" }],
      },
      { ...web, name: "web-2", state: "failed", reason: "ERR_MAP_FULL: no room" },
    ],
  };
  expect(verdict(status)).toEqual({ exit: EXIT.unhealthy, complaints: ["1 workload failed", "1 workload partial"] });
  const text = renderStatus(status, plain);
  expect(text).toContain("! 1 workload partial\n");
  expect(text).toContain("! shop/web-1: app_outbound is not attached to h-m1\n");
  expect(text).toContain("! shop/web-1: foreign tcx program at h-m1 ingress of other: runs before app_outbound\n");
  expect(text).toContain("failed (ERR_MAP_FULL: no room)");
});

const { observation: _unread, ...unread } = healthy;

test.each<[string, Status, string]>([
  ["no reading of the kernel", unread, "the kernel has not been read yet"],
  [
    "no redirection",
    { ...healthy, agent: { ...healthy.agent, problem: "ERR_BPFFS_MISSING: none" } },
    "ERR_BPFFS_MISSING: none",
  ],
  ["a workload that waits", { ...healthy, workloads: [{ ...web, state: "pending" }] }, "1 workload pending"],
  ["members without a proxy", { ...healthy, proxies: [] }, "no active proxy: members' new connections fail"],
  [
    "a proxy that is not whole",
    { ...healthy, proxies: healthy.proxies.map((proxy) => ({ ...proxy, state: "partial" as const })) },
    "proxy istio-system/ztunnel-1 partial",
  ],
])("%s is not healthy", (_name, status, complaint) => {
  expect(verdict(status)).toEqual({ exit: EXIT.unhealthy, complaints: [complaint] });
});

test("a pod that is no member, and an empty node, are healthy", () => {
  const outsider: WorkloadStatus = { ...web, state: "not a member", reason: "hostNetwork" };
  expect(verdict({ ...healthy, workloads: [outsider] }).exit).toBe(EXIT.ok);
  expect(verdict({ ...healthy, workloads: [], proxies: [] }).exit).toBe(EXIT.ok);
  expect(renderStatus({ ...healthy, workloads: [] }, plain)).toContain("no workloads on this node");
});

test("what an earlier run left by another backend is told until it is gone", () => {
  const waiting: Status = {
    ...healthy,
    earlier: [{ backend: "iptables", waitsFor: ["workload shop/web-1 is not redirected yet"] }],
  };
  expect(verdict(waiting)).toEqual({
    exit: EXIT.unhealthy,
    complaints: [
      "redirection by iptables, of an earlier run, is still there: workload shop/web-1 is not redirected yet",
    ],
  });
  const failing: Status = { ...healthy, earlier: [{ backend: "iptables", waitsFor: [], problem: "EBUSY: locked" }] };
  expect(renderStatus(failing, plain)).toContain(
    "! redirection by iptables, of an earlier run, is still there: EBUSY: locked\n",
  );
});
