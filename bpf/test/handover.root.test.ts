import { setTimeout as sleep } from "node:timers/promises";
import { tcpSockets } from "linux-ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Pod, until } from "./support/box.ts";
import { Mesh } from "./support/mesh.ts";
import type { Running } from "./support/process.ts";
import { dial, dialed, listen, startHaproxy } from "./support/programs.ts";

let mesh: Mesh;
let member: Pod;
let plain: Pod;
let old: Pod;
let fresh: Pod;

beforeEach(() => {
  mesh = new Mesh({ proxies: 2 });
  old = mesh.addProxy("z0", 0);
  fresh = mesh.addProxy("z1", 1);
  member = mesh.addMember("m");
  plain = mesh.addPod("p");
  mesh.datapath.settings({ active: 1 });
});
afterEach(() => mesh[Symbol.asyncDispose]());

const OLD_DRAINS = { active: 2, draining: 0b01 };
const families = [
  { family: "IPv4", v6: false, of: (pod: Pod) => pod.ipv4 },
  { family: "IPv6", v6: true, of: (pod: Pod) => pod.ipv6 },
];

describe.each(families)("$family", ({ v6, of }) => {
  const tcp = v6 ? "TCP6" : "TCP4";
  const inUrl = (address: string) => (v6 ? `[${address}]` : address);
  const established = (pod: Pod) => tcpSockets(pod.netns.fd, { states: ["established"] }).length;

  /** A server that sends back what it gets, and a client that is connected to it. */
  async function stream(from: Pod, to: Pod, port: number): Promise<Running> {
    mesh.start(to.netns, "socat", `${tcp}-LISTEN:${port},fork,reuseaddr${v6 ? ",ipv6-v6only=1" : ""}`, "PIPE");
    await until("the server", () =>
      tcpSockets(to.netns.fd, { states: ["listen"] }).some(({ sourcePort }) => sourcePort === port),
    );
    const client = mesh.start(from.netns, "socat", "-d", "-d", "-", `${tcp}:${inUrl(of(to))}:${port}`);
    await says(client, "hello");
    return client;
  }

  async function says(client: Running, word: string): Promise<void> {
    client.write(`${word}\n`);
    await until(`"${word}" to come back`, () => client.stdout.includes(word), 5);
  }

  it("keeps connections with the proxy that has them, and gives new ones to the new proxy", async () => {
    await startHaproxy(mesh, old.netns);
    const outbound = await stream(member, plain, 7001);
    const inbound = await stream(plain, member, 7002);
    await startHaproxy(mesh, fresh.netns);

    mesh.datapath.settings(OLD_DRAINS);
    const verdicts = await mesh.datapath.verdictsOf(async () => {
      await says(outbound, "still");
      await says(inbound, "here");
    });
    expect(verdicts["app_outbound.drained"]).toBeGreaterThan(0);
    expect(verdicts["app_inbound.drained"]).toBeGreaterThan(0);
    expect(verdicts["app_outbound.captured"]).toBeUndefined();
    expect(established(fresh)).toBe(0);

    await stream(member, plain, 7003);
    await stream(plain, member, 7004);
    expect(established(fresh)).toBe(4);
    expect(established(old)).toBe(4);

    outbound.end();
    inbound.end();
    await until("the old proxy to have drained", () => established(old) === 0);
  });

  it("resets what is left when the draining ends", async () => {
    await startHaproxy(mesh, old.netns);
    await startHaproxy(mesh, fresh.netns);
    const client = await stream(member, plain, 7001);
    mesh.datapath.settings({ active: 2 });
    await stream(plain, member, 7002);
    client.write("anyone?\n");
    await until("the reset", () => !client.running, 5);
    expect((await client.ended()).stderr).toMatch(/reset by peer/i);
  });

  it("lets a new connection use the ports of one that is in TIME_WAIT at the old proxy", async () => {
    await listen(mesh, old.netns, "old", 15001, v6, "ip-transparent");
    await listen(mesh, fresh.netns, "new", 15001, v6, "ip-transparent");
    const bind = `${inUrl(of(member))}:4444`;
    expect(await dialed(member.netns, of(plain), 8000, { bind })).toMatchObject({ name: "old", sourcePort: 4444 });
    await until("TIME_WAIT", () => tcpSockets(old.netns.fd, { states: ["time-wait"] }).length > 0);
    mesh.datapath.settings(OLD_DRAINS);
    expect(await dialed(member.netns, of(plain), 8000, { bind })).toMatchObject({ name: "new", sourcePort: 4444 });
  });

  it("finishes a connection whose handshake is under way", async () => {
    await startHaproxy(mesh, old.netns);
    await startHaproxy(mesh, fresh.netns);
    await listen(mesh, plain.netns, "server", 8000, v6);
    let settled = false;
    const switching = (async () => {
      for (let turn = 0; !settled; turn++) {
        mesh.datapath.settings(turn % 2 ? { active: 1, draining: 0b10 } : OLD_DRAINS);
        await sleep(1);
      }
    })();
    try {
      for (let i = 0; i < 15; i++)
        expect(await dialed(member.netns, of(plain), 8000)).toMatchObject({ name: "server" });
    } finally {
      settled = true;
      await switching;
    }
  });

  it("refuses at once a source port that the old proxy uses to the same server", async () => {
    await listen(mesh, plain.netns, "server", 8000, v6);
    const bind = `${inUrl(of(member))}:5555`;
    const port = 9000;
    mesh.start(plain.netns, "socat", `${tcp}-LISTEN:${port},reuseaddr`, "PIPE");
    await until("the server", () =>
      tcpSockets(plain.netns.fd, { states: ["listen"] }).some(({ sourcePort }) => sourcePort === port),
    );
    const target = `${tcp}:${inUrl(of(plain))}:${port},bind=${bind},ip-transparent,reuseaddr`;
    const first = mesh.start(old.netns, "socat", "-", target);
    await says(first, "hello");
    mesh.datapath.settings(OLD_DRAINS);

    const verdicts = await mesh.datapath.verdictsOf(async () => {
      const { code, stderr } = await dial(fresh.netns, of(plain), port, { bind });
      expect(code).toBe(1);
      expect(stderr).toMatch(/refused/);
    });
    // By the answer to its first SYN, then: each one that is sent again would be counted.
    expect(verdicts["ztunnel_host_in.refused_collision"]).toBe(1);
    await says(first, "undisturbed");
    expect(await dialed(fresh.netns, of(plain), 8000, { bind })).toMatchObject({ name: "server", sourcePort: 5555 });
  });
});
