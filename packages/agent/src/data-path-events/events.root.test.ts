import { Agent, Lab, within } from "@millrace/conformance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../testing/eventually.ts";
import type { ToldEvent } from "./told-event.ts";

const PORT = 8080;

let lab: Lab;
let agent: Agent;

/** A proxy's pod without a proxy: each connection is captured, and refused in there. */
beforeAll(async () => {
  lab = await Lab.create({ prefix: "ev", nodes: [{ pods: ["m1", "m2"], proxies: ["z1"] }], externals: ["world"] });
  const node = lab.node(1);
  node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
  node.applyNamespace("istio-system");
  for (const pod of node.pods) node.applyPod(pod);
  agent = await Agent.start(node, { redirectMode: "ebpf" });
  await agent.untilActive(lab.pod("z1"));
  await agent.untilEnrolled(lab.pod("m1"), lab.pod("m2"));
}, 200_000);

afterAll(() => lab?.[Symbol.asyncDispose]());

async function attempt(from: string): Promise<void> {
  const targets = [{ host: lab.external("world").address(4), port: PORT }];
  await (await lab.pod(from).endpoint()).ask("load", { targets, rate: 1, seconds: 1, timeoutMs: 1_000 });
}

/** What the command prints while both members try to connect, until that has been told of the second. */
async function told(...options: string[]): Promise<ToldEvent[]> {
  const events = agent.startMillrace("events", ...options);
  const parsed = () => events.lines.map((line) => JSON.parse(line) as ToldEvent);
  await eventually(
    async () => {
      await attempt("m1");
      await attempt("m2");
      return parsed();
    },
    (lines) => lines.some(({ source, verdict }) => source.pod === "demo/m2" && verdict === "dropped_no_listener"),
    within(30_000),
  );
  await events.stop("SIGINT");
  expect(events.outcome, events.lines.join("\n")).toBe("status 0");
  return parsed();
}

const pods = (events: readonly ToldEvent[]) => [...new Set(events.map(({ source }) => source.pod))].sort();

test("millrace events tells of captured connections and of those that a dead proxy refuses, by the pods' names", async () => {
  const events = await told("--jsonl");
  expect(pods(events)).toEqual(["demo/m1", "demo/m2"]);
  const ends = {
    source: { address: lab.pod("m2").address(4), port: expect.any(Number), pod: "demo/m2" },
    destination: { address: lab.external("world").address(4), port: PORT },
    flags: ["SYN"],
  };
  expect(events).toContainEqual(
    expect.objectContaining({ ...ends, program: "app_outbound", verdict: "captured", bytes: 74 }),
  );
  expect(events).toContainEqual(
    expect.objectContaining({ ...ends, program: "ztunnel_tproxy", verdict: "dropped_no_listener" }),
  );
}, 200_000);

test("millrace events --pod tells of that one only", async () => {
  const events = await told("--jsonl", "--pod", "demo/m2");
  expect(pods(events)).toEqual(["demo/m2"]);
  const verdicts = new Set(events.map(({ program, verdict }) => `${program}.${verdict}`));
  expect([...verdicts].sort()).toEqual(["app_outbound.captured", "ztunnel_tproxy.dropped_no_listener"]);
}, 200_000);
