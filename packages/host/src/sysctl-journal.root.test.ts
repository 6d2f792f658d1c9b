import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PluginLogger } from "@millrace/core";
import { looseReversePath, noForwarding, ownArpOnly, SysctlJournal } from "@millrace/core/host";
import { type Netns, openNetns, readSysctl, writeSysctl } from "linux-ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "./testing/run.ts";

const NAME = `mrfj${process.pid}`;
const FORWARD = "net/ipv4/conf/v0/forwarding";
const RP_FILTER = "net/ipv4/conf/v0/rp_filter";

let directory: string;
let netns: Netns;
let lines: string[];
let log: PluginLogger;
let journal: SysctlJournal;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-sysctl-"));
  run("ip", "netns", "add", NAME);
  run("ip", "-n", NAME, "link", "add", "name", "v0", "type", "veth", "peer", "name", "v1");
  netns = openNetns(`/run/netns/${NAME}`);
  lines = [];
  const note = (_: object, message: string) => void lines.push(message);
  log = { debug: note, info: note, warn: note, error: note };
  journal = new SysctlJournal(directory, log);
});
afterEach(() => {
  netns[Symbol.dispose]();
  run("ip", "netns", "del", NAME);
  rmSync(directory, { recursive: true, force: true });
});

const read = (path: string) => readSysctl(netns.fd, path);
const write = (path: string, value: string) => writeSysctl(netns.fd, path, value);
const files = () => readdirSync(join(directory, "sysctl"));
const all = () =>
  run("nsenter", `--net=/run/netns/${NAME}`, "sysctl", "-a", "--pattern", "^net.ipv[46].conf").split("\n");

it("abandons what one holder changed: nothing is put back, and what another one holds too stays noted", () => {
  journal.change("x", netns, [
    { path: RP_FILTER, value: "2" },
    { path: FORWARD, value: "1" },
  ]);
  journal.change("y", netns, [{ path: FORWARD, value: "1" }]);
  journal.abandon("x", netns.inode);
  expect([read(RP_FILTER), read(FORWARD)]).toEqual(["2", "1"]);
  expect(files()).toHaveLength(1);
  journal.restore("y", netns);
  expect(read(FORWARD)).toBe("0");
  expect(files()).toEqual([]);
});

it("notes what stood there, puts it back, and forgets it", () => {
  write(RP_FILTER, "1");
  journal.change("x", netns, [{ path: RP_FILTER, value: "2" }]);
  expect(read(RP_FILTER)).toBe("2");
  expect(JSON.parse(readFileSync(join(directory, "sysctl", files()[0] ?? ""), "utf8"))).toMatchObject({
    netnsInode: netns.inode,
    path: RP_FILTER,
    before: "1",
    written: "2",
    holders: ["x"],
  });
  journal.restore("x", netns);
  expect(read(RP_FILTER)).toBe("1");
  expect(files()).toEqual([]);
  journal.close();
  expect(() => readdirSync(directory)).toThrow("ENOENT");
});

it("touches and notes nothing that is as wanted already", () => {
  write(RP_FILTER, "2");
  journal.change("x", netns, [{ path: RP_FILTER, value: "2" }]);
  expect(() => files()).toThrow("ENOENT");
});

it("has noted the change when writing it fails, and what stood there is not lost by trying again", () => {
  write(RP_FILTER, "1");
  const changes = [
    { path: RP_FILTER, value: "2" },
    { path: "net/ipv4/ip_local_port_range", value: "no range" },
  ];
  expect(() => journal.change("x", netns, changes)).toThrow(/EINVAL/);
  expect(files()).toHaveLength(2);
  journal.change("x", netns, [{ path: RP_FILTER, value: "2" }]);
  const range = read("net/ipv4/ip_local_port_range");
  journal.restore("x", netns);
  expect(read(RP_FILTER)).toBe("1");
  expect(read("net/ipv4/ip_local_port_range")).toBe(range);
});

it("puts a sysctl back when the last holder lets go", () => {
  write(RP_FILTER, "1");
  journal.change("ebpf", netns, [{ path: RP_FILTER, value: "2" }]);
  journal.change("iptables", netns, [{ path: RP_FILTER, value: "2" }]);
  journal.restore("ebpf", netns);
  expect(read(RP_FILTER)).toBe("2");
  journal.restore("ebpf", netns);
  expect(read(RP_FILTER)).toBe("2");
  journal.restore("iptables", netns);
  expect(read(RP_FILTER)).toBe("1");
});

it("leaves what somebody else has set since, and says so", () => {
  write(RP_FILTER, "1");
  journal.change("x", netns, [{ path: RP_FILTER, value: "2" }]);
  expect(journal.drifted("x", netns)).toEqual([]);
  write(RP_FILTER, "0");
  expect(journal.drifted("x", netns)).toEqual([`sysctl ${RP_FILTER} is 0, not 2`]);
  journal.restore("x", netns);
  expect(read(RP_FILTER)).toBe("0");
  expect(lines).toEqual(["leaving a sysctl that somebody else has changed since"]);
});

it("forgets sysctls of an interface that is gone", () => {
  write(RP_FILTER, "1");
  journal.change("x", netns, [{ path: RP_FILTER, value: "2" }]);
  run("ip", "-n", NAME, "link", "del", "dev", "v0");
  expect(journal.drifted("x", netns)).toEqual([`sysctl ${RP_FILTER} is gone, not 2`]);
  journal.restore("x", netns);
  expect(files()).toEqual([]);
  expect(lines).toEqual([]);
});

it("does not believe an entry of another boot, of which namespaces have the same numbers", () => {
  write(RP_FILTER, "1");
  new SysctlJournal(directory, log, "an-earlier-boot").change("x", netns, [{ path: RP_FILTER, value: "2" }]);
  journal.restore("x", netns);
  expect(read(RP_FILTER)).toBe("2");
  expect(files()).toHaveLength(1);
  journal.sweep();
  expect(files()).toEqual([]);
});

it("puts a damaged entry aside and says which", () => {
  journal.change("x", netns, [{ path: FORWARD, value: read(FORWARD) === "1" ? "0" : "1" }]);
  const [file = ""] = files();
  writeFileSync(join(directory, "sysctl", file), "{");
  journal.restore("x", netns);
  expect(files()).toEqual([file.replace(/json$/, "damaged")]);
  expect(lines).toEqual(["cannot read a journal entry; check the sysctl it names by hand"]);
});

describe("forwarding in a proxy's namespace", () => {
  it.each(["0", "1"])(
    "is turned off and put back, with everything the kernel changed along with it (IPv6 all: %s)",
    (ipv6) => {
      write("net/ipv4/ip_forward", "1");
      write("net/ipv6/conf/all/forwarding", ipv6);
      write("net/ipv6/conf/v1/forwarding", ipv6 === "1" ? "0" : "1");
      write("net/ipv6/conf/v0/accept_ra", "1");
      write("net/ipv6/conf/v1/accept_ra", "2");
      const before = all();
      const changes = noForwarding(netns, "v0", ["lo", "v0", "v1"]);
      journal.change("x", netns, changes);
      expect(read(FORWARD)).toBe("0");
      expect(read("net/ipv6/conf/all/forwarding")).toBe("0");
      expect(read("net/ipv6/conf/v1/forwarding")).toBe("0");
      expect(read("net/ipv6/conf/v0/accept_ra")).toBe(ipv6 === "1" ? "0" : "1");
      expect(journal.drifted("x", netns)).toEqual([]);
      // Asked again, as after a restart, it is still what stood there at first that comes back.
      journal.change("x", netns, noForwarding(netns, "v0", ["lo", "v0", "v1"]));
      journal.restore("x", netns);
      expect(all()).toEqual(before);
    },
  );

  it("is left alone in IPv6 where the interface has none", () => {
    write("net/ipv6/conf/v0/disable_ipv6", "1");
    write("net/ipv6/conf/all/forwarding", "1");
    expect(noForwarding(netns, "v0", ["lo", "v0", "v1"]).map(({ path }) => path)).toEqual([FORWARD]);
  });
});

it.each([
  ["0", "0", "3"],
  ["0", "1", "1"],
  ["1", "0", undefined],
])("keeps a proxy from answering ARP for others (all %s, interface %s)", (everywhere, own, wanted) => {
  const path = "net/ipv4/conf/v0/arp_ignore";
  write("net/ipv4/conf/all/arp_ignore", everywhere);
  write(path, own);
  expect(ownArpOnly(netns, "v0")).toEqual(wanted === undefined ? [] : [{ path, value: wanted }]);
});

it("goes on answering ARP for its own addresses alone until the last backend has let go", () => {
  const path = "net/ipv4/conf/v0/arp_ignore";
  for (const holder of ["x", "y"]) journal.change(holder, netns, ownArpOnly(netns, "v0"));
  journal.restore("x", netns);
  expect(read(path)).toBe("3");
  journal.restore("y", netns);
  expect(read(path)).toBe("0");
});

it.each([
  ["0", "0", undefined],
  ["0", "1", "2"],
  ["1", "0", "2"],
  ["2", "1", undefined],
  ["0", "2", undefined],
])("loosens the reverse path filter where it is strict (all %s, interface %s)", (everywhere, own, wanted) => {
  write("net/ipv4/conf/all/rp_filter", everywhere);
  write(RP_FILTER, own);
  expect(looseReversePath(netns, "v0")).toEqual(wanted === undefined ? [] : [{ path: RP_FILTER, value: wanted }]);
});
