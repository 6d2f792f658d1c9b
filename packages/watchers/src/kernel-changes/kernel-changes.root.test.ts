import { execFileSync } from "node:child_process";
import type { Subscription } from "rxjs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ip, TestNode } from "../testing/node.test.kit.ts";
import { type LogLine, recordingLog } from "../testing/recorder.test.kit.ts";
import { kernelChanges } from "./kernel-changes.ts";

let node: TestNode;
let told: string[];
let lines: readonly LogLine[];
let running: Subscription;

beforeEach(() => {
  node = new TestNode();
  told = [];
  const recording = recordingLog();
  lines = recording.lines;
  node.addPod("z", { addresses: [] });
  running = kernelChanges({
    nodeNetns: node.path,
    marks: { protocol: 77, name: /^millrace/i },
    log: recording.log,
  }).subscribe((what) => told.push(what));
});

afterEach(() => {
  running.unsubscribe();
  node[Symbol.dispose]();
});

const inNode = (...args: string[]) =>
  execFileSync("nsenter", [`--net=${node.path}`, ...args], { timeout: 20_000, stdio: ["ignore", "pipe", "pipe"] });
const until = (check: () => void) => vi.waitFor(check, 20_000);

test("tells of what carries our marks, as it goes", async () => {
  node.ip("rule", "add", "priority", "60", "lookup", "15100", "protocol", "77");
  node.ip("route", "add", "local", "default", "dev", "lo", "table", "15100", "protocol", "77");
  node.ip("link", "add", "millrace-out", "type", "bridge");
  inNode("tc", "qdisc", "add", "dev", "h-z", "clsact");
  inNode("nft", "add", "table", "inet", "millrace");
  inNode("iptables-nft", "-t", "mangle", "-N", "MILLRACE-FROM");
  inNode("iptables-nft", "-t", "mangle", "-A", "PREROUTING", "-j", "MILLRACE-FROM");
  await until(() => expect(told).toContain("nftables rule in ip mangle PREROUTING set"));
  await until(() => expect(told).toContain("clsact qdisc of link 2 set"));
  told.length = 0;

  node.ip("rule", "del", "priority", "60");
  node.ip("route", "flush", "table", "15100");
  node.ip("link", "set", "millrace-out", "down");
  node.ip("link", "del", "millrace-out");
  inNode("tc", "qdisc", "del", "dev", "h-z", "clsact");
  inNode("nft", "delete", "table", "inet", "millrace");
  inNode("iptables-nft", "-t", "mangle", "-F", "PREROUTING");
  for (const what of [
    "IPv4 rule 60 removed",
    "route 0.0.0.0/0 in table 15100 removed",
    "link millrace-out removed",
    "clsact qdisc of link 2 removed",
    "nftables table in inet millrace removed",
    "nftables rule in ip mangle PREROUTING removed",
  ]) {
    await until(() => expect(told).toContain(what));
  }
  expect(lines).toEqual([]);
});

test("tells of what a proxy's namespace has too, and lets that end", async () => {
  ip("-n", `${node.name}-z`, "rule", "add", "priority", "20000", "lookup", "15001", "protocol", "77");
  await until(() => expect(told).toEqual(["IPv4 rule 20000 set"]));
  node.removePod("z");
  await until(() => expect(node.ip("link")).not.toContain("h-z"));
});

test("passes over what others do", async () => {
  node.ip("rule", "add", "priority", "60", "lookup", "100");
  node.ip("link", "add", "br0", "type", "bridge");
  node.ip("route", "add", "local", "default", "dev", "lo", "table", "100");
  inNode("nft", "add table inet kube-proxy; add chain inet kube-proxy c; add rule inet kube-proxy c drop");
  node.ip("rule", "add", "priority", "61", "lookup", "100", "protocol", "77");
  inNode("nft", "add", "table", "inet", "millrace");
  await until(() => expect(told.toSorted()).toEqual(["IPv4 rule 61 set", "nftables table in inet millrace set"]));
});
