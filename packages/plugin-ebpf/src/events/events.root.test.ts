import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Agent } from "../testing/agent.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "../testing/node-box.ts";
import { connect, type PodProgram, startEcho, startProxy } from "../testing/traffic.ts";
import { type DataPathEvent, type EventBatch, type FollowOptions, followEvents } from "./follow-events.ts";

const PORT = 8080;

let box: NodeBox;
let member: BoxPod;
let server: BoxPod;
let proxyPod: BoxPod;
let echo: PodProgram;
let agent: Agent;
let stop: AbortController;

beforeEach(async () => {
  box = await NodeBox.create();
  member = box.addPod("member");
  server = box.addPod("server");
  proxyPod = box.addPod("proxy");
  echo = await startEcho(server, PORT);
  agent = await Agent.open(box, { config: { attach: "clsact", releaseSeconds: 0 } });
  await agent.useProxies({ active: proxyOf(proxyPod), draining: [] });
  await agent.apply(workloadOf(member));
  stop = new AbortController();
});
afterEach(async () => {
  await agent?.uninstall();
  await agent?.[Symbol.asyncDispose]();
  await echo?.[Symbol.asyncDispose]();
  box?.[Symbol.dispose]();
});

const options = (more: Partial<FollowOptions> = {}): FollowOptions => ({
  bpffs: box.visibleBpffs,
  pins: "millrace",
  connections: true,
  signal: stop.signal,
  ...more,
});

/** What is told while `act` runs, and a little longer. */
async function told(more: Partial<FollowOptions>, act: () => Promise<unknown>): Promise<DataPathEvent[]> {
  const events: DataPathEvent[] = [];
  const following = followEvents(options(more), async (batch: EventBatch) => {
    events.push(...batch.events);
    expect(batch.lost).toBe(0);
  });
  await act();
  await new Promise((resolve) => setTimeout(resolve, 300));
  stop.abort();
  await following;
  return events;
}

describe.each(["ipv4", "ipv6"] as const)("events over %s", (family) => {
  const ends = () => ({ source: member[family], destination: server[family], destinationPort: PORT });
  const at = (program: string, verdict: string) => expect.objectContaining({ program, verdict, ...ends() });

  it("tell of a captured connection once, and not of its other packets", async () => {
    await using _proxy = await startProxy(box, proxyPod);
    const events = await told({}, () => connect(member, server[family], PORT));
    expect(events).toEqual([at("app_outbound", "captured")]);
    const [{ tcpFlags = 0, bytes = 0, atNs = 0n } = {}] = events;
    expect(tcpFlags & 0x12).toBe(0x02);
    expect(bytes).toBeGreaterThan(54);
    expect(process.hrtime.bigint() - atNs).toBeLessThan(600_000_000_000n);
  });

  it("tell of a connection that a dead proxy refuses, at both places", async () => {
    const events = await told({}, () => connect(member, server[family], PORT));
    expect(events).toEqual([at("app_outbound", "captured"), at("ztunnel_tproxy", "dropped_no_listener")]);
  });

  it("leave captured connections out if they are not asked for", async () => {
    const events = await told({ connections: false }, () => connect(member, server[family], PORT));
    expect(events).toEqual([at("ztunnel_tproxy", "dropped_no_listener")]);
  });
});

it("are told of some workloads alone, which may change", async () => {
  let addresses = [member.ipv4];
  const path = `${box.bpffs}/millrace/v1/maps/events_of`;
  const asked = () => JSON.parse(box.inside("bpftool", "--json", "map", "dump", "pinned", path)).length;
  const both = async () => {
    await connect(member, server.ipv4, PORT);
    await connect(member, server.ipv6, PORT);
    expect(asked(), "the address, and the member's interface").toBe(2);
    // Longer than until the addresses are asked for again.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    addresses = [server.ipv6];
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await connect(member, server.ipv4, PORT);
    await connect(member, server.ipv6, PORT);
  };
  const events = await told({ addresses: () => addresses }, both);
  expect(asked()).toBe(0);
  const way = ({ program, source, destination }: DataPathEvent) => [program, source, destination];
  expect(events.map(way)).toEqual([
    ["app_outbound", member.ipv4, server.ipv4],
    ["ztunnel_tproxy", member.ipv4, server.ipv4],
    ["app_outbound", member.ipv6, server.ipv6],
    ["ztunnel_tproxy", member.ipv6, server.ipv6],
  ]);
});

it("nobody asks for are not told: nothing waits for the next reader", async () => {
  await told({}, () => connect(member, server.ipv4, PORT));
  await connect(member, server.ipv4, PORT);
  stop = new AbortController();
  expect(await told({}, async () => undefined)).toEqual([]);
});

it("are for one reader at a time", async () => {
  const first = followEvents(options(), async () => undefined);
  await expect(followEvents(options(), async () => undefined)).rejects.toMatchObject({ code: "ERR_EVENTS_IN_USE" });
  stop.abort();
  await first;
});

it("are not there where nothing is redirected by eBPF", async () => {
  const nowhere = followEvents(options({ pins: "nobody" }), async () => undefined);
  await expect(nowhere).rejects.toMatchObject({ code: "ERR_EVENTS_UNAVAILABLE" });
});
