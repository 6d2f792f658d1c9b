import { FAMILIES, type Family } from "../../lab/addresses.ts";
import type { LabHost } from "../../lab/lab-host.ts";
import type { ProxyRecord } from "../../programs/haproxy-log.ts";
import { expect, expectSame, type Scenario } from "../scenario.ts";
import { familyName, PORTS, SERVICE, type Stage } from "../stage.ts";

interface Path {
  readonly name: string;
  readonly title: string;
  readonly from: (stage: Stage) => LabHost;
  readonly to: (stage: Stage) => LabHost;
  /** Dialled instead of the server's own address. */
  readonly address?: (family: Family) => string;
  readonly port?: number;
  /** Nodes whose proxy takes it, in order, and at which door. */
  readonly captured: readonly { readonly node: 1 | 2; readonly frontend: ProxyRecord["frontend"] }[];
}

const paths: readonly Path[] = [
  {
    name: "same-node",
    title: "member to member on one node: once through the proxy, source address kept",
    from: (stage) => stage.cart,
    to: (stage) => stage.web,
    captured: [{ node: 1, frontend: "outbound" }],
  },
  {
    name: "remote-node",
    title: "member to a pod outside the mesh on another node: through its own node's proxy",
    from: (stage) => stage.cart,
    to: (stage) => stage.db,
    captured: [{ node: 1, frontend: "outbound" }],
  },
  {
    name: "both-nodes",
    title: "member to member on another node: through both proxies, source address kept end to end",
    from: (stage) => stage.cart,
    to: (stage) => stage.api,
    captured: [
      { node: 1, frontend: "outbound" },
      { node: 2, frontend: "inbound" },
    ],
  },
  {
    name: "inbound",
    title: "from outside the cluster to a member: captured on 15006",
    from: (stage) => stage.world,
    to: (stage) => stage.web,
    captured: [{ node: 1, frontend: "inbound" }],
  },
  {
    name: "service-address",
    title: "a Service address reaches the proxy as it is, not as one of its endpoints",
    from: (stage) => stage.cart,
    to: (stage) => stage.db,
    address: (family) => SERVICE[family],
    port: 80,
    captured: [{ node: 1, frontend: "outbound" }],
  },
];

async function walk(stage: Stage, path: Path, family: Family): Promise<string[]> {
  const from = path.from(stage);
  const destination = path.address?.(family) ?? path.to(stage).address(family);
  const port = path.port ?? PORTS.http;
  const marks = ([1, 2] as const).map((node) => stage.proxy(node).mark());
  const seen = await stage.get(from, destination, port);
  expectSame("the server's peer", seen.peer, from.address(family));
  const evidence: string[] = [];
  for (const { node, frontend } of path.captured) {
    const filter = { frontend, source: from.address(family), destination, destinationPort: port };
    const records = await stage.proxy(node).awaitRecords(filter, marks[node - 1]);
    expectSame(`connections that the proxy of node ${node} took on its ${frontend} port`, records.length, 1);
    evidence.push(`proxy of node ${node}: ${frontend} ${from.address(family)} → ${destination} port ${port}`);
  }
  const taken = ([1, 2] as const).reduce((sum, node) => sum + stage.proxy(node).since(marks[node - 1] ?? 0).length, 0);
  expectSame("times it was captured", taken, path.captured.length);
  return [...evidence, `server ${path.to(stage).name}: peer ${seen.peer}`];
}

async function hbone(stage: Stage, family: Family): Promise<string[]> {
  const server = await stage.web.endpoint();
  await server.ask("accepted", { port: PORTS.hbone, clear: true });
  const mark = stage.proxy(1).mark();
  const client = await stage.world.endpoint();
  const outcome = await client.ask("upload", { host: stage.web.address(family), port: PORTS.hbone, bytes: 10_000 });
  const filter = {
    frontend: "hbone",
    source: stage.world.address(family),
    destination: stage.web.address(family),
  } as const;
  const records = await stage.proxy(1).awaitRecords(filter, mark);
  expectSame("connections that the proxy took on 15008", records.length, 1);
  const accepted = await server.ask("accepted", { port: PORTS.hbone });
  expectSame("connections that reached the member's own port 15008", accepted.length, 0);
  expect(outcome.ok, `the upload to 15008 failed: ${JSON.stringify(outcome)}`);
  return [
    `proxy: hbone ${filter.source} → ${filter.destination} port 15008, ${records[0]?.received} B`,
    "member: nothing on its own 15008",
  ];
}

/** What is captured, by which door, and what both ends see of it. */
export const captureScenarios: readonly Scenario[] = [
  ...paths.flatMap((path) =>
    FAMILIES.map((family) => ({
      name: family === 4 ? path.name : `${path.name}-ipv6`,
      title: `${path.title} (${familyName(family)})`,
      show: (stage: Stage) => walk(stage, path, family),
    })),
  ),
  ...FAMILIES.map((family) => ({
    name: family === 4 ? "hbone" : "hbone-ipv6",
    title: `to a member's port 15008: captured on 15008, the member gets nothing (${familyName(family)})`,
    show: (stage: Stage) => hbone(stage, family),
  })),
];
