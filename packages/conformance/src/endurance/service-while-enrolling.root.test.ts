import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Agent } from "../agent/agent.ts";
import { FAMILIES, serviceAddresses } from "../lab/addresses.ts";
import { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { Haproxy } from "../programs/haproxy.ts";

const PORT = 8080;
const SERVICE = serviceAddresses(1);

let lab: Lab;
let node: LabNode;
let agent: Agent;
let client: LabPod;

beforeAll(async () => {
  lab = await Lab.create({ prefix: "sv", nodes: [{ pods: ["client", "server"], proxies: ["z1"] }] });
  node = lab.node(1);
  client = lab.pod("client");
  const server = lab.pod("server");
  await (await server.endpoint()).listen(PORT);
  await node.services.add("web", { address: SERVICE, port: 80, endpoint: server.addresses, endpointPort: PORT });
  await Haproxy.start(lab.pod("z1"), { directory: join(node.paths.root, "proxy") });
  node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
  node.applyNamespace("istio-system");
  node.applyPod(server);
  node.applyPod(lab.pod("z1"));
  agent = await Agent.start(node, { redirectMode: "ebpf" });
  await agent.untilActive(lab.pod("z1"));
  await agent.untilEnrolled(server);
});

afterAll(() => lab[Symbol.asyncDispose]());

/**
 * The server's inbound capture took the client's connections after the node had translated the Service's address. When the
 * client is enrolled too, the proxy could send its answers straight to it, past the node that has to translate them back.
 */
test("a pod enters and leaves the mesh while it talks to a Service whose endpoint is a member of its node", async () => {
  const targets = FAMILIES.map((family) => ({ host: SERVICE[family], port: 80 }));
  const endpoint = await client.endpoint();
  const streams = await endpoint.ask("startStreams", { targets, intervalMs: 20 });
  const load = endpoint.ask("load", { targets, rate: 50, seconds: 6 });
  for (let round = 0; round < 2; round++) {
    await sleep(400);
    node.applyPod(client);
    await agent.untilEnrolled(client);
    await sleep(400);
    node.applyPod(client, { annotations: { "ambient.istio.io/redirection": "disabled" } });
    await agent.untilLeft(client);
  }
  const { failures, attempts, succeeded } = await load;
  expect(failures).toEqual([]);
  expect(succeeded).toBe(attempts);
  for (const { failure, host } of await endpoint.ask("stopStreams", streams))
    expect({ host, failure }).toEqual({ host });
}, 60_000);
