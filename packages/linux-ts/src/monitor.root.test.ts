import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addRoute, addRule, deleteRoute, deleteRule, link, links, type MonitorGroup, type RtEvent } from "./index.ts";
import { RtnetlinkMonitor } from "./monitor.ts";
import { ScratchNetns, until } from "./testing/scratch-netns.ts";

/** "link set e0", "address removed 198.18.0.1", …: an event in a line. */
function brief(event: RtEvent): string {
  switch (event.type) {
    case "link":
      return `link ${event.change} ${event.link.name}${event.link.up ? " up" : ""}`;
    case "address":
      return `address ${event.change} ${event.address.address}/${event.address.prefixLength}`;
    case "route":
      return `route ${event.change} ${event.route.dst} ${event.route.table}`;
    case "rule":
      return `rule ${event.change} ${event.rule.priority}`;
    case "qdisc":
      return `qdisc ${event.change} ${event.qdisc.kind} on ${event.qdisc.ifindex}`;
    case "filter": {
      const { filter, place } = event;
      const what = filter === undefined ? "all" : `${filter.kind} ${filter.priority}`;
      return `filter ${event.change} ${what} on ${place.ifindex} ${place.direction}`;
    }
  }
}

describe("RtnetlinkMonitor", () => {
  let namespace: ScratchNetns;
  let monitor: RtnetlinkMonitor;
  let events: RtEvent[];
  let overruns: number;

  function open(groups: MonitorGroup[], receiveBufferBytes?: number): void {
    monitor = RtnetlinkMonitor.open({
      netns: namespace.fd,
      groups,
      ...(receiveBufferBytes === undefined ? {} : { receiveBufferBytes }),
      onEvents: (batch) => events.push(...batch),
      onOverrun: () => overruns++,
    });
  }

  const seen = () => events.map(brief);

  beforeEach(() => {
    namespace = new ScratchNetns();
    events = [];
    overruns = 0;
  });

  afterEach(() => {
    monitor[Symbol.dispose]();
    namespace[Symbol.dispose]();
  });

  it("tells of links and addresses in the order in which they come and go", async () => {
    open(["link", "ipv4-address", "ipv6-address"]);
    namespace.ip(`
      link add e0 type veth peer name e1
      addr add 198.18.0.1/24 dev e0
      link set e0 up
      link set e1 up
      addr add 2001:2:0:1::1/64 dev e0 nodad
    `);
    // IPv6 addresses are announced when their duplicate detection is over, even if there was none to do (addrconf_dad_work).
    await until("the IPv6 address is there", () => seen().includes("address set 2001:2:0:1::1/64"));
    namespace.ip(`
      addr del 198.18.0.1/24 dev e0
      link del e0
    `);
    await until("e0 is gone", () => seen().includes("link removed e0"));
    const inOrder = [
      "link set e0",
      "address set 198.18.0.1/24",
      "link set e0 up",
      "address set 2001:2:0:1::1/64",
      "address removed 198.18.0.1/24",
      "address removed 2001:2:0:1::1/64",
      "link removed e0",
    ];
    expect(seen().filter((line, at, all) => inOrder.includes(line) && all.indexOf(line) === at)).toEqual(inOrder);
    expect(seen()).toContain("link removed e1");
    expect(overruns).toBe(0);
  });

  it("gives objects as the readers do", async () => {
    open(["link"]);
    namespace.ip("link add e0 type veth peer name e1");
    await until("e0 is there", () => seen().filter((line) => line === "link set e0").length > 0);
    // The kernel tells of a new link more than once; the last time it is as the reader finds it.
    await expect
      .poll(() => events.findLast((event) => event.type === "link" && event.link.name === "e0"))
      .toEqual({ type: "link", change: "set", link: link(namespace.fd, "e0") });
  });

  it("tells of routes and rules of both families", async () => {
    namespace.ip("link set lo up");
    open(["route", "rule"]);
    for (const [family, dst] of [
      [4, "0.0.0.0/0"],
      [6, "::/0"],
    ] as const) {
      const route = { dst, table: 100, type: "local", oif: 1 } as const;
      const rule = { family, priority: 50 + family, table: 100, iif: "e0" };
      addRoute(namespace.fd, route);
      addRule(namespace.fd, rule);
      deleteRule(namespace.fd, rule);
      deleteRoute(namespace.fd, route);
    }
    // Six sockets of the kernel may deliver in turns, but each group keeps its order.
    await until("all are seen", () => events.length >= 8);
    expect(seen().toSorted()).toEqual(
      [
        "route set 0.0.0.0/0 100",
        "rule set 54",
        "rule removed 54",
        "route removed 0.0.0.0/0 100",
        "route set ::/0 100",
        "rule set 56",
        "rule removed 56",
        "route removed ::/0 100",
      ].toSorted(),
    );
    expect(seen().indexOf("rule set 56")).toBeLessThan(seen().indexOf("rule removed 56"));
  });

  it("tells of clsact qdiscs and the filters on them", async () => {
    namespace.ip("link add e0 type veth peer name e1");
    const index = link(namespace.fd, "e0")?.index;
    open(["tc"]);
    const bytecode = ["bpf", "bytecode", "1,6 0 0 0,"];
    const filter = (verb: string, direction: string) => ["filter", verb, "dev", "e0", direction];
    namespace.tc(["qdisc", "add", "dev", "e0", "clsact"]);
    namespace.tc([...filter("add", "ingress"), "prio", "7", "protocol", "all", ...bytecode]);
    namespace.tc([...filter("add", "egress"), "prio", "8", "protocol", "all", ...bytecode]);
    namespace.tc([...filter("del", "ingress"), "prio", "7", "protocol", "all", "handle", "1", "bpf"]);
    // Without a handle, all filters of a priority at once.
    namespace.tc([...filter("del", "egress"), "prio", "8"]);
    namespace.tc(["qdisc", "del", "dev", "e0", "clsact"]);
    await until("all are seen", () => seen().includes(`qdisc removed clsact on ${index}`));
    expect(seen()).toEqual([
      `qdisc set clsact on ${index}`,
      `filter set bpf 7 on ${index} ingress`,
      `filter set bpf 8 on ${index} egress`,
      `filter removed bpf 7 on ${index} ingress`,
      `filter removed all on ${index} egress`,
      `qdisc removed clsact on ${index}`,
    ]);
  });

  it("hears namespaces that have an id in its own, without keeping them", async () => {
    const known = new ScratchNetns();
    using unknown = new ScratchNetns();
    namespace.ip(`link add e0 type veth peer name e1 netns ${known.name}`);
    monitor = RtnetlinkMonitor.open({
      netns: namespace.fd,
      namespaces: "known",
      groups: ["rule"],
      onEvents: (batch) => events.push(...batch),
      onOverrun: () => overruns++,
    });
    unknown.ip("rule add priority 5 lookup 100");
    known.ip("rule add priority 6 lookup 100");
    namespace.ip("rule add priority 7 lookup 100");
    await until("its own is seen", () => seen().includes("rule set 7"));
    expect(seen()).toEqual(["rule set 6", "rule set 7"]);
    known[Symbol.dispose]();
    await until("the namespace is gone", () => links(namespace.fd).every(({ name }) => name !== "e0"));
  });

  it("does not take a port that leaves its bridge for a link that is gone", async () => {
    namespace.ip(`
      link add br0 type bridge
      link add e0 type veth peer name e1
    `);
    open(["link"]);
    namespace.ip(`
      link set e0 master br0
      link set e0 nomaster
      link set e1 mtu 1400
    `);
    await until("all is read", () => events.some((event) => event.type === "link" && event.link.mtu === 1400));
    expect(events.filter(({ change }) => change === "removed")).toEqual([]);
    expect(events).toContainEqual(
      expect.objectContaining({ link: expect.objectContaining({ name: "e0", master: 2 }) }),
    );
    expect(link(namespace.fd, "e0")).not.toHaveProperty("master");
  });

  it("tells that a link was moved to another namespace", async () => {
    using other = new ScratchNetns();
    namespace.ip("link add e0 type veth peer name e1");
    open(["link"]);
    namespace.ip(`link set e0 netns ${other.name}`);
    await until("e0 is gone", () => seen().includes("link removed e0"));
    expect(links(namespace.fd).map(({ name }) => name)).not.toContain("e0");
  });

  it("hears only its own groups and namespace", async () => {
    using other = new ScratchNetns();
    open(["link"]);
    other.ip("link add elsewhere type veth peer name e1");
    namespace.ip(`
      link set lo up
      addr add 198.18.0.1/24 dev lo
      link set lo mtu 60000
    `);
    await until("all is read", () => events.some((event) => event.type === "link" && event.link.mtu === 60_000));
    expect(new Set(events.map((event) => (event.type === "link" ? event.link.name : event.type)))).toEqual(
      new Set(["lo"]),
    );
  });

  it("says that events were lost, forgets those from before, and goes on", async () => {
    namespace.ip("link add e0 type veth peer name e1");
    open(["link", "ipv4-address"], 4096);
    for (const round of [1, 2, 3]) {
      events = [];
      overruns = 0;
      // The event loop stands still meanwhile, so nothing is read.
      namespace.ip(Array.from({ length: 200 }, (_, i) => `addr add 198.18.${round}.${i}/32 dev e0`).join("\n"));
      expect(events).toEqual([]);
      await until("the loss is told", () => overruns > 0);
      expect(overruns).toBe(1);
      expect(events).toEqual([]);

      namespace.ip(`link set e0 mtu ${1400 + round}`);
      await until("the next event is seen", () => events.length > 0);
      expect(events.every((event) => event.type === "link" && event.link.mtu === 1400 + round)).toBe(true);
    }
  });

  it("forgets what is from before the loss, also when it takes several turns to read", async () => {
    namespace.ip("link add e0 type veth peer name e1");
    open(["link"], 1 << 20);
    namespace.ip(Array.from({ length: 2500 }, (_, i) => `link set e0 mtu ${1000 + (i % 400)}`).join("\n"));
    await until("the loss is told", () => overruns > 0);
    expect(events).toEqual([]);
    namespace.ip("link set e0 mtu 1500");
    await until("the next event is seen", () => events.length > 0);
    expect(events).toMatchObject([{ type: "link", link: { mtu: 1500 } }]);
    expect(overruns).toBe(1);
  });

  it("hands over a flood in few batches, complete, when the buffer holds it", async () => {
    namespace.ip("link add e0 type veth peer name e1");
    let batches = 0;
    monitor = RtnetlinkMonitor.open({
      netns: namespace.fd,
      groups: ["ipv4-address"],
      receiveBufferBytes: 16 << 20,
      onEvents: (batch) => {
        batches++;
        events.push(...batch);
      },
      onOverrun: () => overruns++,
    });
    const all = Array.from({ length: 3000 }, (_, i) => `198.18.${i >> 8}.${i & 255}/32`);
    namespace.ip(all.map((address) => `addr add ${address} dev e0`).join("\n"));
    await until("all are seen", () => events.length >= all.length);
    expect(seen()).toEqual(all.map((address) => `address set ${address}`));
    expect(overruns).toBe(0);
    expect(batches).toBeLessThan(10);
  });

  it("is silent once closed, also when that happens in its own callback", async () => {
    let calls = 0;
    monitor = RtnetlinkMonitor.open({
      netns: namespace.fd,
      groups: ["link"],
      onEvents: () => {
        calls++;
        monitor[Symbol.dispose]();
        monitor[Symbol.dispose]();
      },
      onOverrun: () => overruns++,
    });
    namespace.ip("link set lo up");
    await until("one call was made", () => calls === 1);
    namespace.ip("link set lo mtu 1500");
    await sleep(50);
    expect(calls).toBe(1);
    monitor.ref().unref();
  });

  it("closes its socket", async () => {
    const before = readdirSync("/proc/self/fd").length;
    open(["link"]);
    expect(readdirSync("/proc/self/fd")).toHaveLength(before + 1);
    monitor[Symbol.dispose]();
    await until("the socket is closed", () => readdirSync("/proc/self/fd").length === before);
  });

  it("ends with its worker, terminated or ended by itself", async () => {
    open(["link"]);
    const before = readdirSync("/proc/self/fd").length;
    const file = new URL("./testing/monitor-worker.ts", import.meta.url);

    const terminated = new Worker(file);
    await once(terminated, "message");
    expect(await terminated.terminate()).toBe(1);

    const ended = new Worker(file, { argv: ["--unref"] });
    const both = Promise.all([once(ended, "message"), once(ended, "exit")]);
    expect(await both).toEqual([["open"], [0]]);
    await until("their sockets are closed", () => readdirSync("/proc/self/fd").length <= before);
  });

  it("keeps a process alive, but for unref()", async () => {
    open(["link"]);
    const file = fileURLToPath(new URL("./testing/monitor-worker.ts", import.meta.url));
    execFileSync(process.execPath, [file, "--unref"], { timeout: 10_000 });
    const kept = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
    await once(kept.stdout, "data");
    const winner = await Promise.race([once(kept, "exit"), sleep(300, "still there")]);
    kept.kill("SIGKILL");
    expect(winner).toBe("still there");
  });

  it("makes what its callback throws an uncaught exception, as any event does", async () => {
    open(["link"]);
    const file = fileURLToPath(new URL("./testing/monitor-throws.ts", import.meta.url));
    const child = spawn(process.execPath, [file, namespace.path], {
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 10_000,
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    await until("it is open", () => output.includes("open"));
    namespace.ip("link set lo up");
    const [status] = (await once(child, "close")) as [number];
    expect({ status, output }).toEqual({ status: 0, output: "open\nuncaught: thrown in onEvents\n" });
  });
});
