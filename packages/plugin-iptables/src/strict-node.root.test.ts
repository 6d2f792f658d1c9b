import { Lab } from "@millrace/conformance";
import { describe, expect, test, vi } from "vitest";
import { FAMILIES } from "./layout.ts";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

// Dozens of programs are run for each: long on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

/**
 * A copy for one of the node's own addresses looks for its next hop in the main table, by address and interface. For IPv4 the kernel takes
 * what no route leads to for on-link, if the interface is given (net/ipv4/route.c, ip_route_output_key_hash_rcu(), "Apparently, routing
 * tables are wrong"), so no route is needed; for IPv6 one is.
 */
describe.each([
  ["no default route", []],
  ["one that refuses", ["unreachable default metric 1"]],
  ["one that drops", ["blackhole default metric 1"]],
  ["the gateway's network on another interface", ["169.254.0.0/16 dev lo"]],
])("a node with %s", (_, routes) => {
  test("a member's connection to the node's own address reaches the tunnel", async () => {
    await using lab = await Lab.create({ nodes: [{ pods: ["m1"], proxies: ["z1"] }] });
    const node = lab.node(1);
    const m1 = lab.pod("m1");
    const change = (family: number, words: string) =>
      node.namespace.runChecked("ip", [`-${family}`, "route", ...words.split(" ")]);
    for (const family of FAMILIES) {
      await change(family, "flush default");
      for (const route of routes)
        await change(family, `add ${family === 6 ? route.replace("169.254.0.0/16", "fe80::/64") : route}`);
    }
    await using driver = await Driver.open(node);
    await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
    await driver.apply(await workloadOf(m1));
    const sent = async (): Promise<number> => {
      const [link] = JSON.parse(await node.namespace.runChecked("ip", ["-s", "-j", "link", "show", "millrace-out"]));
      return link.stats64.tx.packets;
    };
    for (const family of FAMILIES) {
      const before = await sent();
      // Nobody answers: only the SYN matters.
      const address = family === 4 ? node.address(4) : `[${node.address(6)}]`;
      await m1.namespace.run("curl", ["-s", "-m", "0.5", `http://${address}:8080`]);
      expect(`IPv${family} ${(await sent()) > before ? "copied" : "lost"}`).toBe(`IPv${family} copied`);
    }
    await driver.uninstall();
  });
});
