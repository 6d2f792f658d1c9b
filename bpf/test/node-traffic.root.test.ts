import { tcpSockets } from "linux-ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NODE_IPV4, NODE_IPV6, type Pod, until } from "./support/box.ts";
import { flow, le32, ROUTED } from "./support/layout.ts";
import { Mesh } from "./support/mesh.ts";
import { must } from "./support/process.ts";
import { dial, dialed, listen, listenAsProxy, startHaproxy } from "./support/programs.ts";

let mesh: Mesh;
let member: Pod;
let other: Pod;
let plain: Pod;
let proxy: Pod;

beforeEach(() => {
  mesh = new Mesh();
  proxy = mesh.addProxy("z", 0);
  member = mesh.addMember("m");
  other = mesh.addMember("o");
  plain = mesh.addPod("p");
  mesh.datapath.settings({ active: 1 });
});
afterEach(() => mesh[Symbol.asyncDispose]());

const families = [
  { family: "IPv4", v6: false, of: (pod: Pod) => pod.ipv4, node: NODE_IPV4, nft: "ip", vip: "198.18.100.1" },
  { family: "IPv6", v6: true, of: (pod: Pod) => pod.ipv6, node: NODE_IPV6, nft: "ip6", vip: "2001:2:0:100::1" },
];

describe.each(families)("$family", ({ v6, of, node, nft, vip }) => {
  /** The node's address translation, as kube-proxy makes it. */
  const translate = (...rules: string[]) =>
    must(
      mesh.node,
      "nft",
      `table ${nft} t { chain pre { type nat hook prerouting priority dstnat; ${rules[0]}; }; chain post { type nat hook postrouting priority srcnat; ${rules[1] ?? ""}; }; }`,
    );
  const to = (pod: Pod, port: number) => `dnat to ${v6 ? `[${of(pod)}]` : of(pod)}:${port}`;

  describe("a probe of the node", () => {
    it("passes to its last packet, whoever closes first, with or without a proxy", async () => {
      await listenAsProxy(mesh, proxy.netns);
      await listen(mesh, member.netns, "app", 8000, v6);
      for (const active of [1, 0]) {
        mesh.datapath.settings({ active });
        const verdicts = await mesh.datapath.verdictsOf(async () => {
          expect(await dialed(mesh.node, of(member), 8000)).toMatchObject({ name: "app" });
          // The node closes first: TIME_WAIT is here, and answers without a socket in IPv6.
          await must(
            mesh.node,
            "socat",
            "-u",
            "/dev/null",
            `TCP${v6 ? 6 : 4}:${v6 ? `[${of(member)}]` : of(member)}:8000`,
          );
          await until("the end of all connections", () => {
            const states = ["established", "fin-wait-1", "fin-wait-2", "close-wait", "last-ack", "closing"] as const;
            return tcpSockets(member.netns.fd, { states }).length === 0;
          });
        });
        expect(Object.keys(verdicts).filter((name) => /captured|dropped/.test(name))).toEqual([]);
        expect(verdicts["app_inbound.bypassed"]).toBeGreaterThan(5);
        expect(verdicts["app_outbound.bypassed"]).toBeGreaterThan(5);
      }
    });

    it("is told from what the node masquerades", async () => {
      await listenAsProxy(mesh, proxy.netns);
      await listen(mesh, member.netns, "app", 8000, v6);
      await translate(`tcp dport 30080 ${to(member, 8000)}`, "tcp dport 8000 masquerade");
      const seen = await dialed(plain.netns, node, 30080);
      expect(seen).toMatchObject({ name: "on-15006", destination: of(member), destinationPort: 8000 });
      expect(seen.source).not.toBe(of(plain));
    });
  });

  it("lets a member reach a service of the node through the proxy", async () => {
    const haproxy = await startHaproxy(mesh, proxy.netns);
    await listen(mesh, mesh.node, "node", 7000, v6);
    expect(await dialed(member.netns, node, 7000)).toMatchObject({ name: "node", source: of(member) });
    await until("the proxy's log", () => haproxy.stdout.includes(`outbound ${v6 ? "" : "::ffff:"}${of(member)}`));
  });

  it("lets members reach each other through the proxy, past the host", async () => {
    await startHaproxy(mesh, proxy.netns);
    await listen(mesh, other.netns, "app", 8000, v6);
    await must(
      mesh.node,
      "nft",
      `table ${nft} f { chain f { type filter hook forward priority 0; tcp dport 8000 counter drop; }; }`,
    );
    expect(await dialed(member.netns, of(other), 8000)).toMatchObject({ name: "app", source: of(member) });
    expect([...mesh.datapath.map("via_host").keys()]).toEqual([]);
  });

  it("brings back the answers of a member that a proxy reached by a translated address", async () => {
    await startHaproxy(mesh, proxy.netns);
    await listen(mesh, other.netns, "app", 8000, v6);
    await translate(`${nft} daddr ${vip} tcp dport 80 ${to(other, 8000)}`);
    const verdicts = await mesh.datapath.verdictsOf(async () => {
      const seen = await dialed(member.netns, vip, 80);
      expect(seen).toMatchObject({ name: "app", source: of(member), destination: of(other), destinationPort: 8000 });
      const answer = flow(of(other), 8000, of(member), seen.sourcePort);
      expect(mesh.datapath.map("via_host").lookup(answer)).toEqual(le32(1));
    });
    expect(verdicts["app_inbound.delivered"]).toBeGreaterThan(2);
  });

  it("shows the host's filters the SYN of what a proxy delivers for a client elsewhere, and no more", async () => {
    await startHaproxy(mesh, proxy.netns);
    await listen(mesh, other.netns, "app", 8000, v6);
    await listen(mesh, other.netns, "app", 9000, v6);
    mesh.datapath.settings({ active: 1, flags: ROUTED });
    const rules = [
      "ct state invalid counter drop",
      `iifname ${proxy.hostName} ${nft} saddr ${of(plain)} ${nft} daddr ${of(other)} tcp dport 8000 ct state new counter accept`,
      `iifname ${proxy.hostName} tcp dport 9000 counter drop`,
      `iifname ${proxy.hostName} ${nft} daddr ${of(other)} counter`,
    ];
    await must(
      mesh.node,
      "nft",
      `table ${nft} f { chain f { type filter hook forward priority 0; ${rules.join("; ")}; }; }`,
    );
    expect(await dialed(plain.netns, of(other), 8000)).toMatchObject({ name: "app", source: of(plain) });
    expect((await dial(plain.netns, of(other), 9000, { seconds: 1 })).stdout).toBe("");
    const counted = [...(await must(mesh.node, "nft", "list table", nft, "f")).matchAll(/counter packets (\d+)/g)];
    const [invalid, seen, denied, rest] = counted.map(packets);
    expect([invalid, seen, rest]).toEqual([0, 1, 0]);
    expect(denied).toBeGreaterThan(0);
  });

  it("brings back the answers by a translated address with routed delivery, too", async () => {
    await startHaproxy(mesh, proxy.netns);
    await listen(mesh, other.netns, "app", 8000, v6);
    mesh.datapath.settings({ active: 1, flags: ROUTED });
    await translate(`${nft} daddr ${vip} tcp dport 80 ${to(other, 8000)}`);
    expect(await dialed(member.netns, vip, 80)).toMatchObject({ name: "app", source: of(member) });
  });

  it("shows routed delivery to the host's filters, both ways", async () => {
    await startHaproxy(mesh, proxy.netns);
    await listen(mesh, other.netns, "app", 8000, v6);
    mesh.datapath.settings({ active: 1, flags: ROUTED });
    const rules = [
      "ct state invalid counter drop",
      `${nft} saddr ${of(member)} ${nft} daddr ${of(other)} tcp dport 8000 ct state new counter accept`,
      "ct state established counter accept",
      "tcp dport 9000 counter drop",
    ];
    await must(
      mesh.node,
      "nft",
      `table ${nft} f { chain f { type filter hook forward priority 0; ${rules.join("; ")}; }; }`,
    );
    expect(await dialed(member.netns, of(other), 8000)).toMatchObject({ name: "app", source: of(member) });
    const counted = [...(await must(mesh.node, "nft", "list table", nft, "f")).matchAll(/counter packets (\d+)/g)].map(
      packets,
    );
    expect(counted[0]).toBe(0);
    expect(counted[1]).toBe(1);
    expect(counted[2]).toBeGreaterThan(4);
    await listen(mesh, other.netns, "app", 9000, v6);
    expect((await dial(member.netns, of(other), 9000, { seconds: 1 })).stdout).toBe("");
  });
});

function packets(match: RegExpMatchArray): number {
  return Number(match[1]);
}
