import { setTimeout as sleep } from "node:timers/promises";
import { FAMILIES, hostPort } from "../../lab/addresses.ts";
import { EscapeCounter } from "../../lab/escape-counter.ts";
import { expect, expectSame, type Scenario } from "../scenario.ts";
import { PORTS, type Stage } from "../stage.ts";

const RATE = 100;
const SECONDS = 4;

async function complete(stage: Stage): Promise<string[]> {
  const { status, stdout, stderr } = await stage.agent(1).millrace("status");
  expect(status === 0, `millrace status ended with ${status}: ${stdout}${stderr}`);
  return stdout.trimEnd().split("\n");
}

async function ambientConfig(stage: Stage): Promise<string[]> {
  const line = stage
    .agent(1)
    .lines.find((text) => text.includes("ambient Writing ambient config: ") && text.includes("true"));
  expect(line !== undefined, "the log has no line about the ambient config");
  const wanted = `ambient Writing ambient config: {"ztunnelReady":true,"redirectMode":"${stage.mode.backend}"}`;
  expect(line.includes(wanted), `the line reads ${line}`);
  return [line];
}

/** Kills the agent in the middle of new connections and of open ones, both families. */
async function killed(stage: Stage): Promise<string[]> {
  const agent = stage.agent(1);
  const client = await stage.cart.endpoint();
  const world = await stage.world.endpoint();
  const outbound = FAMILIES.map((family) => ({ host: stage.db.address(family), port: PORTS.http }));
  const inbound = FAMILIES.map((family) => ({ host: stage.web.address(family), port: PORTS.http }));
  const counters = [await EscapeCounter.start(stage.db, stage.cart), await EscapeCounter.start(stage.web, stage.world)];
  const streams = await client.ask("startStreams", { targets: outbound, intervalMs: 20 });
  const loads = Promise.all([
    client.ask("load", { targets: outbound, rate: RATE, seconds: SECONDS }),
    world.ask("load", { targets: inbound, rate: RATE, seconds: SECONDS }),
  ]);
  await sleep((SECONDS * 1000) / 3);
  await agent.kill();
  const results = await loads;
  const kept = await client.ask("stopStreams", streams);
  for (const result of results) expectSame("connections that failed", result.failures, []);
  for (const stream of kept) expect(stream.failure === undefined, `stream to ${stream.host} broke: ${stream.failure}`);
  const escaped = await Promise.all(counters.map((counter) => counter.read()));
  for (const counter of counters) await counter.stop();
  expectSame(
    "packets that passed the proxy by",
    escaped.map(({ packets }) => packets),
    [0, 0],
  );
  expect(!agent.running, "the agent is meant to be dead");
  return [
    `${results.map(({ succeeded, attempts }) => `${succeeded} of ${attempts}`).join(" and ")} new connections succeeded, both families, out and in`,
    `${kept.map(({ host, port, rounds }) => `${hostPort(host, port)}: ${rounds} rounds`).join(", ")} on connections that were open all the while`,
    "0 packets passed the proxy by",
  ];
}

async function adopted(stage: Stage): Promise<string[]> {
  const before = await stage.mode.objectsOfNode(stage);
  const started = performance.now();
  await stage.agent(1).restart();
  await stage.untilReady();
  const ms = Math.round(performance.now() - started);
  expectSame("our objects on node 1", await stage.mode.objectsOfNode(stage), before);
  const { status, stdout } = await stage.agent(1).millrace("status");
  expect(status === 0, `millrace status: ${stdout}`);
  return [`the same ${before.length} objects as before, status complete after ${ms} ms`];
}

/** The agent: what it says of itself, what its death changes (nothing). */
export const agentScenarios: readonly Scenario[] = [
  { name: "status", title: "millrace status is complete", show: complete },
  { name: "ambient-config", title: "the line that operators of the original know", show: ambientConfig },
];

export const agentKilledScenarios: readonly Scenario[] = [
  {
    name: "agent-killed",
    title: "kill -9 of the agent under 200 new connections/s: none fails, none escapes",
    show: killed,
  },
  { name: "agent-back", title: "the agent comes back, adopts what it finds and makes nothing twice", show: adopted },
];
