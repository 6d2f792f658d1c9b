import type { InstallState } from "@millrace/cni-install";
import { expect, test } from "vitest";
import type { Status, WorkloadStatus } from "../status/status-document.ts";
import { someStatus } from "../testing/some-status.test.kit.ts";
import { TroubleBook } from "./trouble-book.ts";
import { troublesOf } from "./troubles.ts";

const workload = (state: WorkloadStatus["state"], reason?: string, problems: string[] = []): WorkloadStatus => ({
  uid: "u1",
  namespace: "shop",
  name: "web-1",
  addresses: [],
  state,
  ...(reason !== undefined && { reason }),
  problems,
  foreign: [],
});
const proxy: Status["proxies"][number] = {
  uid: "p",
  key: "p",
  namespace: "istio-system",
  name: "ztunnel",
  addresses: [],
  role: "active",
  state: "complete",
  problems: [],
};
const statusOf = (...workloads: WorkloadStatus[]) => someStatus({ workloads, proxies: [proxy] });
const told = (status: Status, install?: InstallState) =>
  troublesOf({ status, install }).map(({ regarding, reason, note }) => [
    `${regarding.kind} ${regarding.name}`,
    reason,
    note,
  ]);

test("a node that is well has none", () => {
  expect(told(statusOf(workload("enrolled"), workload("not a member", "hostNetwork"), workload("leaving")))).toEqual(
    [],
  );
});

test("what keeps a pod from being redirected is told of the pod", () => {
  expect(told(statusOf(workload("failed", "EBUSY: it is busy, attempt 7")))).toEqual([
    ["Pod web-1", "EnrolmentFailed", "EBUSY: it is busy"],
  ]);
  expect(told(statusOf(workload("failed", "not removed: EBUSY: it is busy, attempt 7")))).toEqual([
    ["Pod web-1", "RemovalFailed", "not removed: EBUSY: it is busy"],
  ]);
  const shadowed = "shadowed by the tcx program of cilium at lxc1 ingress";
  expect(told(statusOf(workload("partial", shadowed, ["route is missing"])))).toEqual([
    ["Pod web-1", "PartlyRedirected", `${shadowed}; route is missing`],
  ]);
  expect(told(statusOf(workload("pending", "no interface is known", ["no interface found by route: none"])))).toEqual([
    ["Pod web-1", "EnrolmentPending", "no interface is known; no interface found by route: none"],
  ]);
});

test("what the whole node lacks is told of the node, and not of each of its pods", () => {
  const { agent } = someStatus();
  const problem = "ERR_BPFFS_MISSING: no BPF file system";
  const closed = someStatus({
    agent: { ...agent, problem },
    workloads: [workload("pending"), workload("failed", "x")],
  });
  expect(told(closed)).toEqual([["Node n1", "RedirectionUnavailable", problem]]);
  const observation = { time: agent.startedAt, problems: ["map members is missing"], nodeAddresses: [] };
  expect(told(someStatus({ observation }))).toEqual([["Node n1", "RedirectionUnavailable", "map members is missing"]]);
});

test("a kernel that cannot be read is told of the node, in the same words for as long as it is so", () => {
  const book = new TroubleBook();
  const unread = { since: "2026-01-02T03:00:00.000Z", attempts: 1, code: "EPERM", message: "not today" };
  const unseen = (attempts: number) => ({
    ...statusOf(workload("unseen", "the kernel cannot be read now")),
    unread: { ...unread, attempts },
  });
  expect(look(book, unseen(1), 0)).toEqual([]);
  expect(look(book, unseen(4), 6_000)).toEqual([
    "Node KernelUnread: what redirects this node's pods is not known: the kernel cannot be read: EPERM: not today; " +
      "it was last read at 2026-01-02T03:00:00.000Z",
  ]);
  expect(look(book, unseen(5), 7_000)).toEqual([]);
  expect(look(book, statusOf(workload("enrolled")), 8_000)).toEqual([
    "Node Recovered: what was wrong with the redirection on this node is over",
  ]);
});

test("members without a proxy", () => {
  const problems = ["proxy istio-system/ztunnel has no interface"];
  expect(told(someStatus({ workloads: [workload("enrolled")], problems }))).toEqual([
    [
      "Node n1",
      "NodeProxyMissing",
      "new connections of this node's members fail: no node proxy can be sent to: proxy istio-system/ztunnel has no interface",
    ],
  ]);
  expect(told(someStatus({ workloads: [workload("not a member")] }))).toEqual([]);
});

test("a CNI plugin that is not installed, and an event log that loses events", () => {
  const install: InstallState = {
    version: 1,
    state: "refused",
    since: "2026-01-02T03:00:00.000Z",
    pid: 1,
    detail: "10-net.conf is a symbolic link",
    warnings: [],
    writes: 0,
  };
  expect(told(statusOf(), install)).toEqual([
    ["Node n1", "CniPluginNotInstalled", "the CNI plugin is not installed (refused): 10-net.conf is a symbolic link"],
  ]);
  expect(told(statusOf(), { ...install, state: "installed" })).toEqual([]);
  const { eventLog } = someStatus();
  expect(told(someStatus({ eventLog: { ...eventLog, state: "failing", reason: "ENOSPC" } }))).toEqual([
    ["Node n1", "EventLogFailing", "events cannot be written, redirection goes on: ENOSPC"],
  ]);
});

const MINUTE = 60_000;

/** What is told at this time of day, in milliseconds. */
function look(book: TroubleBook, status: Status, now: number): string[] {
  const troubles = troublesOf({ status, install: undefined });
  return book.look(troubles, status, now).map(({ regarding, reason, note }) => `${regarding.kind} ${reason}: ${note}`);
}

test("a trouble is told when it begins, with other words when they change, every ten minutes while it lasts, and when it is over", () => {
  const book = new TroubleBook();
  const failed = statusOf(workload("failed", "EBUSY: busy, attempt 1"));
  expect(look(book, failed, 0)).toEqual(["Pod EnrolmentFailed: EBUSY: busy"]);
  expect(look(book, statusOf(workload("failed", "EBUSY: busy, attempt 2")), 1000)).toEqual([]);
  expect(look(book, statusOf(workload("failed", "ENOSPC: full, attempt 3")), 2000)).toEqual([
    "Pod EnrolmentFailed: ENOSPC: full",
  ]);
  expect(look(book, statusOf(workload("failed", "ENOSPC: full, attempt 9")), 9 * MINUTE)).toEqual([]);
  expect(look(book, statusOf(workload("failed", "ENOSPC: full, attempt 10")), 11 * MINUTE)).toHaveLength(1);
  expect(look(book, statusOf(workload("enrolled")), 12 * MINUTE)).toEqual([
    "Pod Redirected: the kernel holds all of its redirection",
  ]);
  expect(look(book, statusOf(workload("enrolled")), 13 * MINUTE)).toEqual([]);
});

test("what passes by itself is not told, and neither is its end", () => {
  const book = new TroubleBook();
  expect(look(book, statusOf(workload("pending", "being applied")), 0)).toEqual([]);
  expect(look(book, statusOf(workload("pending", "being applied")), 59_000)).toEqual([]);
  expect(look(book, statusOf(workload("enrolled")), 60_000)).toEqual([]);
  expect(look(book, statusOf(workload("pending", "being applied")), 61_000)).toEqual([]);
  expect(look(book, statusOf(workload("pending", "being applied")), 121_000)).toHaveLength(1);
});

test("it is over only when it is known to be: not while it is tried again, and without a word when the pod is gone", () => {
  const book = new TroubleBook();
  const failed = statusOf(workload("failed", "EBUSY: busy"));
  look(book, failed, 0);
  expect(look(book, statusOf(workload("pending", "tried again")), 1)).toEqual([]);
  expect(look(book, statusOf(workload("unseen", "the kernel cannot be read now")), 1)).toEqual([]);
  expect(look(book, statusOf(workload("enrolled")), 2)).toHaveLength(1);
  look(book, failed, 3);
  // The node has a trouble of its own by now, and so says nothing of its pods.
  const closed = someStatus({ agent: { ...failed.agent, problem: "ERR_X: no" }, workloads: [workload("pending")] });
  expect(look(book, closed, 4)).toEqual([]);
  expect(look(book, statusOf(workload("enrolled")), 5)).toHaveLength(1);
  look(book, failed, 6);
  expect(look(book, statusOf(), 7)).toEqual([]);
  expect(look(book, statusOf(workload("enrolled")), 8)).toEqual([]);
});

test("a node's troubles end together", () => {
  const book = new TroubleBook();
  const { agent, eventLog } = someStatus();
  const both = someStatus({
    agent: { ...agent, problem: "ERR_X: no" },
    eventLog: { ...eventLog, state: "failing", reason: "ENOSPC" },
  });
  look(book, both, 0);
  expect(look(book, both, 10_000)).toHaveLength(2);
  expect(look(book, someStatus({ agent: { ...agent, problem: "ERR_X: no" } }), 11_000)).toEqual([]);
  expect(look(book, someStatus(), 12_000)).toEqual([
    "Node Recovered: what was wrong with the redirection on this node is over",
  ]);
});
