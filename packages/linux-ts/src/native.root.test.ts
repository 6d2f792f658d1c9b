import { execFileSync } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as linux from "./index.ts";
import { native } from "./native.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

const whereAmI = () => readlinkSync("/proc/thread-self/ns/net");
const descriptors = () => readdirSync("/proc/self/fd").length;
const silent = { onEvents() {}, onOverrun() {} };

describe("every call", () => {
  let namespace: ScratchNetns;
  let home: string;
  let calls: Record<string, () => unknown>;

  beforeAll(() => {
    namespace = new ScratchNetns();
    namespace.ip("link set lo up");
    home = whereAmI();
    const { fd: netns } = namespace;
    const route = { dst: "0.0.0.0/0", table: 99, type: "local", oif: 1 } as const;
    const rule = { family: 4, priority: 99, table: 99, iif: "lo" } as const;
    calls = {
      links: () => linux.links(netns),
      link: () => linux.link(netns, "absent"),
      addresses: () => linux.addresses(netns),
      routes: () => linux.routes(netns),
      addRoute: () => linux.addRoute(netns, route),
      addRouteAgain: () => linux.addRoute(netns, route),
      deleteRoute: () => linux.deleteRoute(netns, route),
      deleteRouteAgain: () => linux.deleteRoute(netns, route),
      rules: () => linux.rules(netns, 6),
      addRule: () => linux.addRule(netns, rule),
      addRuleAgain: () => linux.addRule(netns, rule),
      deleteRule: () => linux.deleteRule(netns, rule),
      deleteRuleAgain: () => linux.deleteRule(netns, rule),
      tcFilters: () => linux.tcFilters({ netns, ifindex: 1, direction: "ingress" }),
      hasClsact: () => linux.hasClsact({ netns, ifindex: 1 }),
      netnsId: () => linux.netnsId(netns, { from: netns, assign: true }),
      tcpSockets: () => linux.tcpSockets(netns),
      readSysctl: () => linux.readSysctl(netns, "net/ipv4/ip_forward"),
      readAbsent: () => linux.readSysctl(netns, "net/ipv4/absent"),
      writeSysctl: () => linux.writeSysctl(netns, "net/ipv4/ip_forward", 1),
      writeRefused: () => linux.writeSysctl(netns, "net/ipv4/ip_forward", "x"),
      monitor: () => linux.RtnetlinkMonitor.open({ netns, groups: ["link"], ...silent })[Symbol.dispose](),
      monitorRefused: () => linux.RtnetlinkMonitor.open({ netns: 0, groups: ["link"], ...silent }),
      openNetns: () => linux.openNetns(namespace.path)[Symbol.dispose](),
      openRefused: () => linux.openNetns("/proc/self/ns/mnt"),
      badNetns: () => linux.links(0),
    };
  });

  afterAll(() => namespace[Symbol.dispose]());

  /** Runs a call, failed or not: only LinuxErrors may come out. */
  function attempt(call: () => unknown): string {
    try {
      call();
      return "done";
    } catch (error) {
      if (error instanceof linux.LinuxError) return error.code;
      throw error;
    }
  }

  it("leaves the thread in its own namespace, failed or not", () => {
    const outcomes: Record<string, string> = {};
    for (const [name, call] of Object.entries(calls)) {
      outcomes[name] = attempt(call);
      expect(whereAmI(), name).toBe(home);
    }
    expect(home).not.toBe(`net:[${namespace.netns.inode}]`);
    expect(outcomes).toMatchObject({
      addRoute: "done",
      addRouteAgain: "EEXIST",
      deleteRouteAgain: "ESRCH",
      addRuleAgain: "EEXIST",
      deleteRuleAgain: "ENOENT",
      readAbsent: "ENOENT",
      writeRefused: "EINVAL",
      monitorRefused: "EINVAL",
      openRefused: "ERR_NOT_A_NETNS",
      badNetns: "EINVAL",
    });
  });

  it("leaves no descriptor behind in 200 rounds", async () => {
    // Monitors close theirs in the next turn of the event loop.
    const settled = () => new Promise((resolve) => setTimeout(resolve, 20));
    await settled();
    const before = descriptors();
    for (let i = 0; i < 200; i++) for (const call of Object.values(calls)) attempt(call);
    await settled();
    expect(descriptors()).toBe(before);
  });

  it("leaves no descriptor behind of 200 requests on other threads, failed or not", async () => {
    // The pool's threads, and what the event loop needs for them, are there before.
    await linux.linkAsync(namespace.fd, "lo");
    const before = descriptors();
    const asked = Array.from({ length: 100 }, () => [linux.linkAsync(namespace.fd, "lo"), linux.linkAsync(0, "lo")]);
    const outcomes = await Promise.allSettled(asked.flat());
    expect(Object.groupBy(outcomes, ({ status }) => status)).toMatchObject({
      fulfilled: { length: 100 },
      rejected: { length: 100 },
    });
    expect(descriptors()).toBe(before);
    expect(whereAmI()).toBe(home);
  });
});

describe("without the capabilities", () => {
  /** Runs a script inside the namespace, as root without the given capabilities, and parses what it prints. */
  function deprived(namespace: ScratchNetns, capabilities: string, script: string): unknown {
    const index = fileURLToPath(new URL("./index.ts", import.meta.url));
    const code = `
      import * as linux from ${JSON.stringify(index)};
      const outcome = (call) => { try { call(); return "done"; } catch ({ name, code, errno, syscall, message }) {
        return { name, code, errno, syscall, message }; } };
      console.log(JSON.stringify(${script}));
    `;
    const setpriv = ["setpriv", `--bounding-set=${capabilities}`, `--inh-caps=${capabilities}`];
    const node = [process.execPath, "--input-type=module", "-e", code];
    const output = execFileSync("nsenter", [`--net=${namespace.path}`, ...setpriv, ...node], { encoding: "utf8" });
    return JSON.parse(output);
  }

  it("reading works and changing is EPERM", () => {
    using namespace = new ScratchNetns();
    const [list, route, rule] = deprived(
      namespace,
      "-net_admin,-sys_admin",
      `[
        outcome(() => linux.links()),
        outcome(() => linux.addRoute(undefined, { dst: "198.18.0.0/24", oif: 1 })),
        outcome(() => linux.addRule(undefined, { family: 4, priority: 5, table: 5 })),
      ]`,
    ) as unknown[];
    expect(list).toBe("done");
    const denied = { name: "LinuxError", code: "EPERM", errno: -1 };
    expect(route).toMatchObject({
      ...denied,
      syscall: "recvmsg RTM_NEWROUTE",
      message: "adding the unicast route 198.18.0.0/24 in table 254: recvmsg RTM_NEWROUTE failed with EPERM",
    });
    expect(rule).toMatchObject({ ...denied, syscall: "recvmsg RTM_NEWRULE" });
  });

  it("entering another namespace is EPERM", () => {
    using namespace = new ScratchNetns();
    using other = new ScratchNetns();
    const result = deprived(
      namespace,
      "-sys_admin",
      `outcome(() => linux.links(linux.openNetns(${JSON.stringify(other.path)}).fd))`,
    );
    const message = `listing links in ${other.path}: setns failed with EPERM`;
    expect(result).toEqual({ name: "LinuxError", code: "EPERM", errno: -1, syscall: "setns", message });
  });
});

describe("the addon", () => {
  it("refuses arguments of other types, instead of guessing", () => {
    const misuse = native as unknown as Record<string, (...args: unknown[]) => unknown>;
    const cases: [string, unknown[]][] = [
      ["netlinkRequest", []],
      ["netlinkRequest", [-1, 0, 18, 4, "payload"]],
      ["netlinkRequest", [-1, 0, 18, 4, new Uint16Array(8)]],
      ["monitorOpen", [-1, 0, Uint8Array.of(1), 0, false, "no function"]],
      ["monitorClose", [{}]],
      ["monitorRef", [new linux.LinuxError("X", "x"), true]],
      ["sysctlRead", [-1, 5]],
      ["sysctlWrite", [-1, "net/ipv4/ip_forward"]],
      ["peerCredentials", ["0"]],
      ["lockDescriptor", [undefined]],
      ["namespaceType", [null]],
    ];
    for (const [name, args] of cases) expect(() => misuse[name]?.(...args), name).toThrow(TypeError);
  });

  it("refuses a multicast group that does not exist, and closes the socket", () => {
    const before = descriptors();
    const open = () => native.monitorOpen(-1, 0, Uint8Array.of(200), 0, false, () => {});
    expect(open).toThrow(expect.objectContaining({ errno: -22, syscall: "setsockopt NETLINK_ADD_MEMBERSHIP" }));
    expect(descriptors()).toBe(before);
  });
});
