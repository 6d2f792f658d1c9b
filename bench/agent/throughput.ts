import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  configurationSchema,
  decisionConfiguration,
  Engine,
  EventLog,
  type EventRecord,
  initialState,
  inputs,
  parseConfiguration,
  silentLogger,
} from "@millrace/core/internal";
import { podOfTurn } from "../replay/pods.ts";

/** What the agent decides and writes down, with a kernel that answers at once. */
export interface Throughput {
  readonly events: number;
  readonly seconds: number;
}

/** On the node at any time. */
const PODS = 250;
/** What comes and goes together, and so may share a commit. */
const TOGETHER = 25;

/**
 * The engine with its log on the disk, as the agent has them: pods come, are enrolled, and go, `pods` of them in all, each of them a dozen events. Every row is durable
 * before anything is done because of it. Throws where the log took a row late.
 */
export async function measureThroughput(pods: number): Promise<Throughput> {
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-agent-"));
  try {
    const { eventLog: settings } = configurationSchema.parse({});
    const path = join(directory, "events.db");
    // As long as it takes: a deadline that passes would let the engine go on before the disk.
    await using eventLog = await EventLog.open({ ...settings, path, appendDeadlineMs: 60_000, log: silentLogger });
    const engine = new Engine({ eventLog, state: initialState, log: silentLogger });
    let events = 0;
    engine.records$.subscribe(() => events++);
    engine.intents$.subscribe((intent) => void engine.submit(answer(intent)));
    begin(engine);
    await engine.settled();

    const [before, began] = [events, performance.now()];
    for (let turn = 0; turn < pods; turn += TOGETHER) {
      for (let own = turn; own < Math.min(pods, turn + TOGETHER); own++) {
        if (own >= PODS) leave(engine, own - PODS);
        come(engine, own);
      }
      await engine.settled();
    }
    // What the last intents came to.
    await engine.settled();
    const seconds = (performance.now() - began) / 1e3;
    const { state, lostEvents } = eventLog.status();
    if (state !== "healthy" || lostEvents > 0)
      throw new Error(`the event log is ${state}, and lost ${lostEvents} events`);
    return { events: events - before, seconds };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function begin(engine: Engine): void {
  const config = decisionConfiguration(parseConfiguration({ node: { name: "n1" } }), ["manifests"]);
  for (const input of [
    inputs.agentStarted({ version: "1.0.0", node: "n1", config }),
    inputs.backendSelected({ mode: "auto", backend: "ebpf", probes: [], reason: "first that is capable" }),
    inputs.hostAddresses(["198.19.0.1"]),
    inputs.namespaceObserved({ name: "shop", labels: { "istio.io/dataplane-mode": "ambient" } }),
    inputs.watchSynced("manifests"),
  ]) {
    void engine.submit(input);
  }
}

function come(engine: Engine, turn: number): void {
  const { observed, veth } = podOfTurn(turn);
  void engine.submit({ ...observed, data: { ...observed.data, ready: false, addresses: [] } });
  void engine.submit(inputs.interfaceAdded(veth));
  void engine.submit(observed);
}

function leave(engine: Engine, turn: number): void {
  const { uid, observed, veth } = podOfTurn(turn);
  void engine.submit({ ...observed, data: { ...observed.data, ready: false, terminating: true } });
  void engine.submit(inputs.podRemoved(uid));
  void engine.submit(inputs.interfaceRemoved({ containerId: veth.containerId, uid }));
}

function answer({ seq, subject, data: { action } }: EventRecord<"redirection.requested">) {
  const told = { generation: seq, durationMs: 1.25, attempt: 1 };
  return action === "remove"
    ? ({ type: "redirection.removed", subject, data: { action, ...told } } as const)
    : ({ type: "redirection.applied", subject, data: { action, ...told } } as const);
}
