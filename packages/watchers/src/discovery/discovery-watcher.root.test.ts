import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { links, openNetns } from "linux-ts";
import { BehaviorSubject, Subject } from "rxjs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ip, TestNode } from "../testing/node.test.kit.ts";
import { Recorder, recordingLog } from "../testing/recorder.test.kit.ts";
import { discoveryWatcher } from "./discovery-watcher.ts";
import type { WantedPod } from "./wanted-pod.ts";

const uid = "0b8d3e5c-1a2f-4c3d-9e8f-001122334455";
const v4 = "198.18.250.11";
const v6 = "2001:2:0:fa::b";
const wanted: WantedPod = { uid, namespace: "shop", name: "a", addresses: [v4, v6] };

let node: TestNode;
let recorder: Recorder;
let pods$: BehaviorSubject<readonly WantedPod[]>;
let linkChanges$: Subject<number>;
/** Stands in for `/proc`: has the processes that a test puts there, and none of the machine's. */
let procfs: string;
let log: ReturnType<typeof recordingLog>["log"];
let cleanup: AsyncDisposableStack;

beforeEach(() => {
  cleanup = new AsyncDisposableStack();
  node = cleanup.use(new TestNode());
  procfs = mkdtempSync(join(tmpdir(), "mw-proc-"));
  cleanup.defer(() => rmSync(procfs, { recursive: true }));
  recorder = new Recorder();
  log = recordingLog().log;
  pods$ = new BehaviorSubject<readonly WantedPod[]>([]);
  linkChanges$ = new Subject();
});

afterEach(() => cleanup.disposeAsync());

async function start(
  options: { procfs?: string; netnsDirectories?: string[]; firstRetryMs?: number; maxRetryMs?: number } = {},
): Promise<void> {
  const defaults = { procfs, netnsDirectories: [node.netnsDirectory], firstRetryMs: 3_600_000, maxRetryMs: 3_600_000 };
  const timing = { settleMs: 10, verifyMs: 3_600_000 };
  const watcher = discoveryWatcher({
    pods$,
    linkChanges$,
    log,
    nodeNetns: node.path,
    ...timing,
    ...defaults,
    ...options,
  });
  cleanup.use(await watcher.start(recorder.sink));
}

const until = (check: () => void) => vi.waitFor(check, 20_000);
const found = () => recorder.of("interface.added");
const failures = () => recorder.of("discovery.failed").map(({ attempts }) => attempts.map(({ outcome }) => outcome));

/** The `interface.added` that must come for a pod of the node, by what the kernel says. */
function expected(pod: { path: string; inode: number; hostIfName: string }, source: string) {
  using podNetns = openNetns(pod.path);
  using nodeNetns = openNetns(node.path);
  return {
    containerId: `discovered-${uid}`,
    uid,
    namespace: "shop",
    name: "a",
    netns: pod.path,
    netnsInode: pod.inode,
    ifName: "eth0",
    mac: links(podNetns.fd).find(({ name }) => name === "eth0")?.mac,
    hostIfName: pod.hostIfName,
    hostIfIndex: links(nodeNetns.fd).find(({ name }) => name === pod.hostIfName)?.index,
    addresses: [v4, v6],
    source,
  };
}

test("finds a routed pod by its route, among others", async () => {
  node.addPod("other", { addresses: ["198.18.250.12"], routed: true });
  const pod = node.addPod("a", { addresses: [v4, v6], routed: true });
  pods$.next([wanted]);
  await start();
  await until(() => expect(found()).toEqual([expected(pod, "route")]));
  expect(failures()).toEqual([]);
});

test("finds a pod by its IPv6 route alone", async () => {
  const pod = node.addPod("a", { addresses: [v4, v6] });
  node.ip("-6", "route", "add", `${v6}/128`, "dev", pod.hostIfName);
  pods$.next([wanted]);
  await start();
  await until(() => expect(found()).toEqual([expected(pod, "route")]));
});

test("finds a bridged pod, which has no route, through its namespace", async () => {
  const other = node.addPod("other", { addresses: ["198.18.250.12"] });
  const pod = node.addPod("a", { addresses: [v4, v6] });
  node.ip("link", "add", "cni0", "type", "bridge");
  node.ip("link", "set", "cni0", "up");
  for (const { hostIfName } of [other, pod]) node.ip("link", "set", hostIfName, "master", "cni0");
  node.ip("route", "add", "198.18.250.0/24", "dev", "cni0");
  pods$.next([wanted]);
  await start();
  await until(() => expect(found()).toEqual([expected(pod, "peer")]));
});

test("passes over a namespace with the same addresses that belongs to another node of this machine", async () => {
  using elsewhere = new TestNode();
  elsewhere.addPod("a", { addresses: [v4, v6] });
  const pod = node.addPod("a", { addresses: [v4, v6] });
  node.ip("link", "add", "cni0", "type", "bridge");
  node.ip("link", "set", pod.hostIfName, "master", "cni0");
  pods$.next([wanted]);
  await start({ netnsDirectories: [node.netnsDirectory, elsewhere.netnsDirectory] });
  await until(() => expect(found()).toEqual([expected(pod, "peer")]));
});

/** A process in a pod's namespace; its stdin is its life line, so that it cannot outlive the test. */
async function processIn(netns: string): Promise<ChildProcess & { pid: number }> {
  const child = spawn("nsenter", [`--net=${netns}`, "cat"], { stdio: ["pipe", "pipe", "inherit"] });
  cleanup.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.stdin?.end();
      await once(child, "exit");
    }
  });
  child.stdin?.write("ready\n");
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child as ChildProcess & { pid: number };
}

/** A cgroup of version 2 under whichever mount point this machine has. */
function cgroup(...path: string[]): string {
  const mount = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .find(([, , type]) => type === "cgroup2")?.[1];
  if (mount === undefined)
    throw new Error("this machine has no cgroup version 2 mounted: mount -t cgroup2 none /sys/fs/cgroup/unified");
  let directory = mount;
  for (const name of path) {
    directory = join(directory, name);
    if (existsSync(directory)) continue;
    mkdirSync(directory);
    const made = directory;
    cleanup.defer(() => rmdirSync(made));
  }
  return directory;
}

/** Moves what cannot be told apart by address: a second namespace with the same addresses, as a sandbox that is on its way out. */
function ambiguous(): { path: string; inode: number; hostIfName: string } {
  node.addPod("twin", { addresses: [v4, v6] });
  return node.addPod("a", { addresses: [v4, v6] });
}

test("finds a pod by a real process in a cgroup of its uid", async () => {
  const pod = ambiguous();
  const name = `kubepods-burstable-pod${uid.replaceAll("-", "_")}.slice`;
  const directory = cgroup(`mw-${process.pid}.slice`, name, "cri-containerd-0123.scope");
  const child = await processIn(pod.path);
  writeFileSync(join(directory, "cgroup.procs"), String(child.pid));
  pods$.next([wanted]);
  // All of the machine's processes, and thereby all of its namespaces, in the very place the agent looks.
  await start({ procfs: "/proc" });
  await until(() => expect(found()).toEqual([expected(pod, "proc")]));
});

/** A process as procfs shows it: its namespace is a link to a real one. */
function fakeProcess(
  pid: number,
  { startedAt, cgroup, netns }: { startedAt: number; cgroup: string; netns: string },
): void {
  const directory = join(procfs, String(pid));
  mkdirSync(join(directory, "ns"), { recursive: true });
  writeFileSync(join(directory, "cgroup"), cgroup);
  writeFileSync(join(directory, "stat"), `${pid} (a b) S${" 0".repeat(18)} ${startedAt} 0 0\n`);
  symlinkSync(netns, join(directory, "ns/net"));
}

test("asks the oldest process of the pod", async () => {
  const pod = ambiguous();
  const cgroup = `4:memory:/kubepods/pod${uid}/x\n0::/\n`;
  fakeProcess(20, { startedAt: 500, cgroup, netns: node.path });
  fakeProcess(900, { startedAt: 400, cgroup, netns: pod.path });
  pods$.next([wanted]);
  await start();
  await until(() => expect(found()).toEqual([expected(pod, "proc")]));
});

test("reads a namespace that only a process leads to", async () => {
  const pod = node.addPod("a", { addresses: [v4, v6] });
  fakeProcess(20, { startedAt: 1, cgroup: "0::/\n", netns: pod.path });
  pods$.next([wanted]);
  await start({ netnsDirectories: ["/nonexistent"] });
  await until(() => expect(found()).toEqual([{ ...expected(pod, "peer"), netns: join(procfs, "20/ns/net") }]));
});

test("never takes the node's own namespace", async () => {
  node.ip("addr", "add", `${v4}/32`, "dev", "lo");
  symlinkSync(node.path, join(node.netnsDirectory, "node"));
  fakeProcess(20, { startedAt: 1, cgroup: `0::/kubepods/pod${uid}\n`, netns: node.path });
  pods$.next([wanted]);
  await start();
  await until(() =>
    expect(failures()).toEqual([
      [
        "no exact route to one of its addresses in the main table",
        "no network namespace holds one of its addresses",
        `${join(procfs, "20/ns/net")} is the node's own network namespace, not a pod's`,
      ],
    ]),
  );
});

test("says what each method found instead", async () => {
  // The route is of a pod that is gone; its address is now on a macvlan, of which nothing can be redirected.
  const stale = node.addPod("stale", { addresses: [] });
  node.ip("route", "add", `${v4}/32`, "dev", stale.hostIfName);
  node.ip("link", "add", "uplink", "type", "bridge");
  const netns = node.addNetns("a");
  node.ip("link", "add", "link", "uplink", "name", "mv0", "netns", netns.name, "type", "macvlan");
  ip("-n", netns.name, "addr", "add", `${v4}/32`, "dev", "mv0");
  fakeProcess(20, { startedAt: 1, cgroup: `0::/kubepods/pod${uid}\n`, netns: stale.path });
  pods$.next([wanted]);
  await start();
  await until(() =>
    expect(failures()).toEqual([
      [
        `eth0 in ${stale.path}, the other end of h-stale, holds none of its addresses`,
        `interface mv0 in ${netns.path} is a macvlan, not a veth; only veth pairs can be redirected`,
        "the network namespace of its oldest process holds none of its addresses",
      ],
    ]),
  );
});

test("takes no veth that leads elsewhere than to the node, though indices agree", async () => {
  const elsewhere = cleanup.use(new TestNode());
  const far = elsewhere.addPod("far", { addresses: [v4] });
  // The node has a veth end under the same index, which the far pod's end names as its peer.
  using farNode = openNetns(elsewhere.path);
  const index = String(links(farNode.fd).find(({ name }) => name === far.hostIfName)?.index);
  node.addNetns("decoy");
  node.ip(
    "link",
    "add",
    "h-decoy",
    "index",
    index,
    "type",
    "veth",
    "peer",
    "name",
    "eth0",
    "index",
    "2",
    "netns",
    `${node.name}-decoy`,
  );
  pods$.next([wanted]);
  await start({ netnsDirectories: [elsewhere.netnsDirectory] });
  await until(() => expect(failures()).toHaveLength(1));
  expect(failures()[0]?.[1]).toContain("is a veth whose other end");
  expect(found()).toEqual([]);
});

/** No link has it: indices begin at 1. */
const UNKNOWN_LINK = 0;

test("tries again with the links, tells a failure once, and what is gone", async () => {
  pods$.next([wanted]);
  await start();
  await until(() => expect(failures()).toHaveLength(1));
  linkChanges$.next(UNKNOWN_LINK);
  await sleep(100);
  expect(failures()).toHaveLength(1);

  const pod = node.addPod("a", { addresses: [v4, v6] });
  const index = expected(pod, "peer").hostIfIndex as number;
  linkChanges$.next(index);
  await until(() => expect(found()).toEqual([expected(pod, "peer")]));
  linkChanges$.next(index);
  await sleep(100);
  expect(found()).toHaveLength(1);
  expect(recorder.of("interface.removed")).toEqual([]);

  // The pod has its interface now, so nobody wants one for it; its end is told all the same.
  pods$.next([]);
  node.removePod("a");
  // The kernel takes a namespace apart some time after its last user left (net/core/net_namespace.c `cleanup_net`).
  await until(() => expect(node.ip("-o", "link", "show")).not.toContain("h-a"));
  linkChanges$.next(UNKNOWN_LINK);
  await sleep(100);
  expect(recorder.of("interface.removed")).toEqual([]);
  linkChanges$.next(index);
  await until(() => expect(recorder.of("interface.removed")).toEqual([{ containerId: `discovered-${uid}`, uid }]));

  const again = node.addPod("a", { addresses: [v4, v6] });
  pods$.next([wanted]);
  await until(() => expect(found()[1]).toEqual(expected(again, "peer")));
});

test("tries again by itself, ever more slowly up to a limit", async () => {
  // Each pass logs that it cannot read this file.
  writeFileSync(join(node.netnsDirectory, "0-leftover"), "");
  const passes: number[] = [];
  log.debug = () => void passes.push(performance.now());
  pods$.next([wanted]);
  await start({ firstRetryMs: 20, maxRetryMs: 80 });
  // Twelve passes take 0.8 s; without a limit they would take 40 s.
  await vi.waitFor(() => expect(passes.length).toBeGreaterThanOrEqual(12), 20_000);
  const pauses = passes.slice(1, 5).map((time, i) => time - (passes[i] as number));
  for (const [i, least] of [20, 40, 80, 80].entries()) expect(pauses[i]).toBeGreaterThanOrEqual(least - 2);
  expect(failures()).toHaveLength(1);

  const pod = node.addPod("a", { addresses: [v4, v6] });
  await until(() => expect(found()).toEqual([expected(pod, "peer")]));
});

test("leaves a pod alone until it has addresses", async () => {
  pods$.next([{ ...wanted, addresses: [] }]);
  await start();
  const pod = node.addPod("a", { addresses: [v4, v6] });
  linkChanges$.next(UNKNOWN_LINK);
  await sleep(100);
  expect(recorder.events).toEqual([]);
  pods$.next([wanted]);
  await until(() => expect(found()).toEqual([expected(pod, "peer")]));
});

test("passes over files that are no network namespace", async () => {
  const pod = node.addPod("a", { addresses: [v4, v6] });
  writeFileSync(join(node.netnsDirectory, "0-leftover"), "");
  execFileSync("mkfifo", [join(node.netnsDirectory, "1-pipe")]);
  symlinkSync("/nonexistent", join(node.netnsDirectory, "2-dangling"));
  symlinkSync("/proc/self/ns/pid", join(node.netnsDirectory, "3-pid"));
  pods$.next([wanted]);
  await start();
  await until(() => expect(found()).toEqual([expected(pod, "peer")]));
});
