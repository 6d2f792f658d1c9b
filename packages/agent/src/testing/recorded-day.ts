import {
  decisionConfiguration,
  type EventInput,
  type EventRecord,
  initialState,
  inputs,
  parseConfiguration,
  rowOf,
  type State,
  step,
  toSnapshot,
} from "@millrace/core/internal";

export const UID = "0f8fad5b-d9cb-469f-a165-70867728950e";

/** A run without a node: inputs go in, rows come out, as an agent of `node` would have written them. One event a second. */
export class RecordedRun {
  state: State = initialState;
  readonly records: EventRecord[] = [];
  readonly #begin: number;

  constructor(begin = Date.UTC(2026, 0, 2, 3, 4, 5)) {
    this.#begin = begin;
  }

  feed(...given: EventInput[]): this {
    for (const input of given) {
      const next = step(this.state, input, new Date(this.#begin + this.state.seq * 1000).toISOString());
      this.state = next.state;
      this.records.push(...next.records);
    }
    return this;
  }

  snapshot(): this {
    return this.feed({ type: "state.snapshot", subject: "log", data: toSnapshot(this.state) });
  }

  /** The rows as lines of portable JSONL, each with a line feed. */
  get jsonl(): string {
    return this.records.map((record) => `${rowOf(record).line}\n`).join("");
  }
}

/** A member that is enrolled at the second try, and its end. */
export function recordedDay(node = "n1"): RecordedRun {
  const configuration = parseConfiguration({ node: { name: node } });
  const run = new RecordedRun();
  const subject = `workload/${UID}`;
  run.feed(
    inputs.agentStarted({ version: "0.1.0", node, config: decisionConfiguration(configuration, ["manifests"]) }),
    inputs.namespaceObserved({ name: "shop", labels: { "istio.io/dataplane-mode": "ambient" } }),
    inputs.podObserved({
      uid: UID,
      namespace: "shop",
      name: "web-1",
      nodeName: node,
      labels: {},
      annotations: {},
      hostNetwork: false,
      phase: "Running",
      ready: true,
      terminating: false,
      addresses: ["198.18.1.11"],
      createdAt: "2026-01-02T03:04:00Z",
    }),
    inputs.interfaceAdded({
      containerId: "c1",
      uid: UID,
      namespace: "shop",
      name: "web-1",
      netns: "/run/netns/w",
      netnsInode: 7,
      ifName: "eth0",
      mac: "02:00:00:00:00:01",
      hostIfName: "h-m1",
      hostIfIndex: 3,
      addresses: ["198.18.1.11"],
      source: "cni",
    }),
    inputs.watchSynced("manifests"),
  );
  const error = { code: "ENODEV", message: "no such device" };
  const outcome = (attempt: number) => ({
    action: "apply" as const,
    generation: run.state.requested.get(subject)?.seq ?? 0,
    durationMs: 1.5,
    attempt,
  });
  run.feed({ type: "redirection.failed", subject, data: { ...outcome(1), error } });
  run.feed({ type: "retry.due", subject, data: { attempt: 2, delayMs: 75 } });
  run.feed({ type: "redirection.applied", subject, data: outcome(2) });
  run.snapshot();
  return run.feed(inputs.podRemoved(UID), inputs.interfaceRemoved({ containerId: "c1", uid: UID }));
}
