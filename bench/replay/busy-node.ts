import {
  decisionConfiguration,
  type EventInput,
  initialState,
  inputs,
  parseConfiguration,
  rowOf,
  type State,
  step,
  subjects,
  toSnapshot,
} from "@millrace/core/internal";
import { PROXY, podOfTurn } from "./pods.ts";

const NODE = "n1";
const PODS = 250;
/** As often as the engine writes one, in events. */
const SNAPSHOT_EVERY = 10_000;
/** How often the rest happens, in pods that came. */
const EVERY = { drift: 25, restart: 1_800, switch: 2_500 } as const;

/** What is in a log besides pods. */
export interface Happenings {
  drift: number;
  restarts: number;
  switches: number;
}

/**
 * The log of a busy node: pods come, are enrolled, and go, for days; now and then somebody takes something away in the kernel, the agent is
 * started again and takes over what is there, and all members are handed to the other backend. Of ten events two are intents and two are
 * their outcomes.
 */
export class BusyNode {
  readonly happenings: Happenings = { drift: 0, restarts: 0, switches: 0 };
  #state: State = initialState;
  #sinceSnapshot = 0;
  /** Subjects of intents that the kernel has not answered. */
  readonly #asked = new Set<string>();
  #backend: "ebpf" | "iptables" = "ebpf";

  /** So many events or a few more, as lines of portable JSONL with their line feeds. */
  *lines(events: number): Generator<string> {
    yield* this.#start(-PODS, -1);
    for (let turn = 0; this.#state.seq < events; turn++) {
      if (this.#sinceSnapshot >= SNAPSHOT_EVERY) yield* this.#snapshot();
      if (turn >= PODS) yield* this.#leave(turn - PODS);
      yield* this.#come(turn);
      if (turn % EVERY.drift === EVERY.drift - 1) yield* this.#drift(turn);
      if (turn % EVERY.switch === EVERY.switch - 1) yield* this.#switch();
      if (turn % EVERY.restart === EVERY.restart - 1) yield* this.#restart(turn);
    }
  }

  *#feed(input: EventInput): Generator<string> {
    const time = new Date(Date.UTC(2026, 0, 1) + this.#state.seq * 50).toISOString();
    const next = step(this.#state, input, time);
    this.#state = next.state;
    this.#sinceSnapshot += next.records.length;
    for (const { subject } of next.intents) this.#asked.add(subject);
    for (const record of next.records) yield `${rowOf(record).line}\n`;
  }

  /** Everything that was asked for is done, and what is asked for because of that. */
  *#answer(): Generator<string> {
    for (const subject of this.#asked) {
      this.#asked.delete(subject);
      const { action, seq: generation } = this.#state.requested.get(subject) ?? {};
      if (action === undefined || generation === undefined) continue;
      const told = { generation, durationMs: 1.25, attempt: 1 };
      yield* this.#feed(
        action === "remove"
          ? { type: "redirection.removed", subject, data: { action, ...told } }
          : { type: "redirection.applied", subject, data: { action, ...told } },
      );
    }
  }

  *#snapshot(): Generator<string> {
    yield* this.#feed({ type: "state.snapshot", subject: subjects.log, data: toSnapshot(this.#state) });
    this.#sinceSnapshot = 0;
  }

  /** An agent, and what it finds: pods from one turn to another. */
  *#start(from: number, to: number): Generator<string> {
    const config = decisionConfiguration(parseConfiguration({ node: { name: NODE } }), ["manifests"]);
    yield* this.#feed(inputs.agentStarted({ version: "1.0.0", node: NODE, config }));
    const selected = { mode: "auto", backend: this.#backend, probes: [], reason: "first that is capable" };
    yield* this.#snapshot();
    yield* this.#feed(inputs.backendSelected(selected));
    yield* this.#feed(inputs.hostAddresses(["198.19.0.1"]));
    yield* this.#feed(inputs.namespaceObserved({ name: "shop", labels: { "istio.io/dataplane-mode": "ambient" } }));
    yield* this.#feed(inputs.namespaceObserved({ name: "istio-system", labels: {} }));
    yield* this.#feed(inputs.interfaceAdded(PROXY.veth));
    yield* this.#feed(PROXY.observed);
    for (let turn = Math.max(0, from); turn <= to; turn++) {
      const { observed, veth } = podOfTurn(turn);
      yield* this.#feed(inputs.interfaceAdded({ ...veth, source: "route" }));
      yield* this.#feed(observed);
    }
    yield* this.#feed(inputs.watchSynced("manifests"));
    yield* this.#answer();
  }

  *#come(turn: number): Generator<string> {
    const { observed, veth } = podOfTurn(turn);
    yield* this.#feed({ ...observed, data: { ...observed.data, ready: false, addresses: [] } });
    yield* this.#feed(inputs.interfaceAdded(veth));
    yield* this.#answer();
    yield* this.#feed(observed);
  }

  *#leave(turn: number): Generator<string> {
    const { uid, observed, veth } = podOfTurn(turn);
    yield* this.#feed({ ...observed, data: { ...observed.data, ready: false, terminating: true } });
    yield* this.#feed(inputs.podRemoved(uid));
    yield* this.#feed(inputs.interfaceRemoved({ containerId: veth.containerId, uid }));
    yield* this.#answer();
  }

  *#drift(turn: number): Generator<string> {
    const subject = subjects.workload(podOfTurn(turn).uid);
    const problems = ["the entry of its ingress program is missing"];
    yield* this.#feed({ type: "drift.found", subject, data: { problems } });
    yield* this.#answer();
    yield* this.#feed({ type: "drift.mended", subject, data: { problems } });
    this.happenings.drift++;
  }

  /** All of the node to the other backend. */
  *#switch(): Generator<string> {
    this.#backend = this.#backend === "ebpf" ? "iptables" : "ebpf";
    const request = { to: this.#backend, mode: "auto", reason: "asked for by millrace switch" };
    yield* this.#feed(inputs.switchRequested(request));
    yield* this.#answer();
    this.happenings.switches++;
  }

  *#restart(turn: number): Generator<string> {
    yield* this.#feed(inputs.agentStopped("SIGTERM"));
    yield* this.#start(turn - PODS + 1, turn);
    this.happenings.restarts++;
  }
}
