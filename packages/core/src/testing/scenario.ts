import { decisionConfiguration } from "../configuration/decision.ts";
import { parseConfiguration } from "../configuration/load.ts";
import type { Configuration } from "../configuration/schema.ts";
import { step } from "../decide/step.ts";
import type { EventData, EventInput, EventRecord } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import { subjects } from "../events/subjects.ts";
import { initialState, type State } from "../state/state.ts";

/** Facts for tests: one node `n1`, namespace `shop` in the mesh, proxies in `istio-system`. Not part of the published package. */

export const NODE = "n1";
export const configuration: Configuration = parseConfiguration({ node: { name: NODE } });

export const started = (watches: readonly string[] = ["manifests"]): EventInput<"agent.started"> =>
  inputs.agentStarted({ version: "1.0.0", node: NODE, config: decisionConfiguration(configuration, watches) });

export const synced = inputs.watchSynced("manifests");

export const meshNamespace = (name = "shop"): EventInput<"namespace.observed"> =>
  inputs.namespaceObserved({ name, labels: { "istio.io/dataplane-mode": "ambient" } });

export const plainNamespace = (name = "shop"): EventInput<"namespace.observed"> =>
  inputs.namespaceObserved({ name, labels: {} });

/** The `index`th pod of the node, Running and Ready, with an address of each family. */
export function pod(index: number, changes: Partial<EventData["pod.observed"]> = {}): EventInput<"pod.observed"> {
  return inputs.podObserved({
    uid: `uid-${index}`,
    namespace: "shop",
    name: `pod-${index}`,
    nodeName: NODE,
    labels: {},
    annotations: {},
    hostNetwork: false,
    phase: "Running",
    ready: true,
    terminating: false,
    addresses: addressesOfPod(index),
    createdAt: new Date(Date.UTC(2024, 0, 1, 0, 0, index)).toISOString(),
    ...changes,
  });
}

export function proxyPod(index: number, changes: Partial<EventData["pod.observed"]> = {}): EventInput<"pod.observed"> {
  return pod(index, { namespace: "istio-system", name: `ztunnel-${index}`, labels: { app: "ztunnel" }, ...changes });
}

/** The interface of the `index`th pod; netns inode 1000 + index, host interface 100 + index. */
export function veth(
  index: number,
  changes: Partial<EventData["interface.added"]> = {},
): EventInput<"interface.added"> {
  const hex = index.toString(16).padStart(4, "0");
  return inputs.interfaceAdded({
    containerId: `container-${index}`,
    uid: `uid-${index}`,
    namespace: "shop",
    name: `pod-${index}`,
    netns: `/run/netns/pod-${index}`,
    netnsInode: 1000 + index,
    ifName: "eth0",
    mac: `02:00:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`,
    hostIfName: `veth${index}`,
    hostIfIndex: 100 + index,
    addresses: addressesOfPod(index),
    source: "cni",
    ...changes,
  });
}

export const vethGone = (index: number): EventInput<"interface.removed"> =>
  inputs.interfaceRemoved({ containerId: `container-${index}`, uid: `uid-${index}` });

export function addressesOfPod(index: number): string[] {
  const low = 10 + (index % 200);
  const high = 1 + Math.floor(index / 200);
  return [`198.18.${high}.${low}`, `2001:2:0:${high}::${low.toString(16)}`];
}

export const workload = (index: number): string => subjects.workload(`uid-${index}`);

type Intent = EventRecord<"redirection.requested">;

/** A run without log or backend: inputs go in, intents come out, outcomes are handed in by the test. */
export class Scenario {
  state: State = initialState;
  readonly records: EventRecord[] = [];

  /** What was decided because of these inputs. */
  feed(...given: EventInput[]): Intent[] {
    return given.flatMap((input) => {
      const time = new Date(Date.UTC(2026, 0, 1) + this.state.seq).toISOString();
      const next = step(this.state, input, time);
      this.state = next.state;
      this.records.push(...next.records);
      return next.intents;
    });
  }

  /** Says that the last intent about each subject was done. */
  succeed(...about: string[]): Intent[] {
    return about.flatMap((subject) => {
      const { action, seq: generation } = this.#requested(subject);
      const outcome = { generation, durationMs: 1, attempt: 1 };
      return action === "remove"
        ? this.feed({ type: "redirection.removed", subject, data: { action, ...outcome } })
        : this.feed({ type: "redirection.applied", subject, data: { action, ...outcome } });
    });
  }

  fail(subject: string, attempt = 1): Intent[] {
    const { action, seq: generation } = this.#requested(subject);
    const error = { code: "EBUSY", message: "device or resource busy" };
    return this.feed({
      type: "redirection.failed",
      subject,
      data: { action, generation, durationMs: 1, attempt, error },
    });
  }

  #requested(subject: string) {
    const requested = this.state.requested.get(subject);
    if (requested === undefined) throw new Error(`nothing was requested about ${subject}`);
    return requested;
  }
}

/** `workload/uid-1 apply`: an intent in short. */
export function brief(intents: readonly Intent[]): string[] {
  return intents.map(({ subject, data }) => `${subject} ${data.action}`);
}

/** What is asked for in the end: subject → action and spec, without how it came to be. Removals and nothing are the same. */
export function wantedSet(state: State): Record<string, string> {
  const wanted = [...state.requested].filter(([, { action }]) => action !== "remove");
  return Object.fromEntries(
    wanted.map(([subject, { action, canonical }]) => [subject, `${action} ${canonical}`]).sort(),
  );
}

/** A small seeded generator (mulberry32), so that a failing order can be run again. */
export function seeded(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A random merge of these sequences that keeps the order within each: watchers are ordered by themselves, not among each other. */
export function interleave<T>(sequences: readonly (readonly T[])[], random: () => number): T[] {
  const rest = sequences.map((sequence) => [...sequence]).filter((sequence) => sequence.length > 0);
  const merged: T[] = [];
  while (rest.length > 0) {
    const index = Math.floor(random() * rest.length);
    const sequence = rest[index] as T[];
    merged.push(sequence.shift() as T);
    if (sequence.length === 0) rest.splice(index, 1);
  }
  return merged;
}
