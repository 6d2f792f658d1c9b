import { join } from "node:path";
import { FAMILIES } from "../../lab/addresses.ts";
import type { LabPod } from "../../lab/lab-pod.ts";
import { DNS_PROXY_PORT, DnsServer, WHO } from "../../programs/dns-server.ts";
import { expectSame, type Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";
import { annotate } from "./annotate.ts";

const DNS_PORT = 53;

/** Asks db's nameserver, by UDP and TCP in both families: whoever answers, it is by db's address. */
async function asked(stage: Stage, from: LabPod, wanted: string): Promise<string> {
  const client = await from.endpoint();
  for (const family of FAMILIES) {
    const server = { host: stage.db.address(family), port: DNS_PORT };
    const heard = await client.ask("askDns", { servers: [server], name: WHO });
    expectSame(`${from.name} heard by UDP`, heard, [{ server: server.host, port: DNS_PORT, text: wanted }]);
    const byTcp = await client.ask("askDnsByTcp", { ...server, name: WHO });
    expectSame(`${from.name} heard by TCP`, byTcp.ok ? byTcp.value : byTcp.failure, wanted);
  }
  return `${from.name} asks db port ${DNS_PORT}: ${wanted} answers, by UDP and TCP, both families`;
}

async function dnsCapture(stage: Stage): Promise<string[]> {
  const { root } = stage.lab.node(1).paths;
  await using _proxy = await DnsServer.start(
    stage.lab.pod("ztunnel-1"),
    DNS_PROXY_PORT,
    "the proxy",
    join(root, "dns"),
  );
  await using _db = await DnsServer.start(stage.db, DNS_PORT, "db", join(root, "dns"));
  const evidence = [await asked(stage, stage.cart, "db")];
  await annotate(stage, stage.cart, { "millrace.dev/dns-capture": "true" });
  evidence.push('cart has millrace.dev/dns-capture: "true"', await asked(stage, stage.cart, "the proxy"));
  evidence.push(await asked(stage, stage.legacy, "db"));
  await annotate(stage, stage.cart, {});
  evidence.push(`without the annotation: ${await asked(stage, stage.cart, "db")}`);
  return evidence;
}

/** Names are resolved by the proxy for who wants it. */
export const dnsScenarios: readonly Scenario[] = [
  {
    name: "dns-capture",
    title: "a member whose DNS is captured is answered by the proxy on 15053, others as ever",
    show: dnsCapture,
  },
];
