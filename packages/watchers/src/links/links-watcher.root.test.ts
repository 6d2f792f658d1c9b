import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TestNode } from "../testing/node.test.kit.ts";
import { Recorder, recordingLog } from "../testing/recorder.test.kit.ts";
import { linksWatcher } from "./links-watcher.ts";

let node: TestNode;
let recorder: Recorder;
let log: ReturnType<typeof recordingLog>;
let running: AsyncDisposable | undefined;

beforeEach(() => {
  node = new TestNode();
  recorder = new Recorder();
  log = recordingLog();
});

afterEach(async () => {
  await running?.[Symbol.asyncDispose]();
  running = undefined;
  node[Symbol.dispose]();
});

async function start({ settleMs = 20 } = {}): Promise<void> {
  running = await linksWatcher({ nodeNetns: node.path, log: log.log, settleMs }).start(recorder.sink);
}

const links = () => recorder.of("link.changed").map(({ name, change }) => `${change} ${name}`);
const addresses = () =>
  recorder.of("host.addresses").map(({ addresses }) => addresses.filter((a) => !a.startsWith("fe80:")));
const until = (check: () => void) => vi.waitFor(check, 20_000);

test("begins with what is there", async () => {
  node.addPod("a", { addresses: ["198.18.250.11"] });
  node.ip("link", "add", "br0", "type", "bridge");
  node.ip("addr", "add", "198.18.250.1/24", "dev", "br0");
  await start();
  expect(links()).toEqual(["added h-a"]);
  expect(addresses()).toEqual([["198.18.250.1"]]);
});

test("tells veth ends as they come and go, also with the pod's namespace", async () => {
  await start();
  expect(links()).toEqual([]);
  node.addPod("a", { addresses: [] });
  node.addPod("b", { addresses: [] });
  node.ip("link", "add", "br0", "type", "bridge");
  await until(() => expect(links()).toEqual(["added h-a", "added h-b"]));
  const index = recorder.of("link.changed")[0]?.ifindex;
  expect(node.ip("-o", "link", "show", "h-a")).toMatch(new RegExp(`^${index}: h-a@`));

  node.removePod("a");
  node.ip("link", "del", "h-b");
  await until(() => expect(links().slice(2).sort()).toEqual(["removed h-a", "removed h-b"]));
});

test("tells the set of addresses once it has settled, and only when it differs", async () => {
  node.ip("link", "add", "br0", "type", "bridge");
  node.ip("link", "set", "br0", "addrgenmode", "none", "up");
  await start({ settleMs: 2_000 });
  for (const address of ["198.18.250.3/24", "127.0.0.9/8", "198.18.250.2/24", "2001:2:0:fa::1/64"]) {
    node.ip("addr", "add", address, "dev", "br0");
    // Gives the watcher its turn: each address comes to it by itself, long before the one before it has settled.
    await sleep(5);
  }
  const all = ["198.18.250.2", "198.18.250.3", "2001:2:0:fa::1"];
  await until(() => expect(addresses()).toEqual([[], all]));

  // Nothing is told of this one, or it would come before what is told of the next.
  node.ip("addr", "add", "127.0.0.10/8", "dev", "br0");
  await sleep(2_500);
  node.ip("link", "del", "br0");
  await until(() => expect(addresses()).toEqual([[], all, []]));
});

test("lists anew what it could not be told", async () => {
  await start();
  // Far more messages than the socket's buffer holds, while nobody reads it: the kernel drops them and says ENOBUFS.
  const commands = ["link add v0 type veth peer name w0"];
  for (let i = 1; i < 150; i++) commands.push(`link add v${i} group 7 type veth peer name w${i}`);
  commands.push("link delete group 7");
  execFileSync("ip", ["-n", node.name, "-batch", "-"], { input: commands.join("\n"), timeout: 50_000 });
  await until(() =>
    expect(log.lines.map(({ message }) => message)).toContain(
      "rtnetlink lost events; links and addresses are listed anew",
    ),
  );
  await until(() => {
    const present = new Set<string>();
    for (const { name, change } of recorder.of("link.changed"))
      change === "added" ? present.add(name) : present.delete(name);
    expect([...present].sort()).toEqual(["v0", "w0"]);
  });
});

test("tells nothing after it was stopped", async () => {
  await start();
  await running?.[Symbol.asyncDispose]();
  const before = recorder.events.length;
  node.addPod("a", { addresses: [] });
  await sleep(100);
  expect(recorder.events).toHaveLength(before);
});
