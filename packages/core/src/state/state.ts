import { Map as ImmutableMap, Set as ImmutableSet } from "immutable";
import type { DecisionConfiguration } from "../events/agent-events.ts";
import type { EventData } from "../events/event.ts";
import type { Switched, SwitchUnderWay } from "../events/switch-events.ts";
import { emptyIndex, type Index } from "./index-map.ts";

export type Pod = EventData["pod.observed"];

/** A pod's interface with the place in the log at which it was announced: the later one wins an address that two pods claim. */
export type Interface = EventData["interface.added"] & { readonly seq: number };

/** The last intent about a subject. */
export type Requested = {
  readonly [Kind in EventData["redirection.requested"]["action"]]: {
    readonly action: Kind;
    readonly spec: Extract<EventData["redirection.requested"], { action: Kind }>["spec"];
    /** `spec` as canonical JSON: two specs are the same exactly when these are. */
    readonly canonical: string;
    /** Place of the intent in the log: the `generation` that outcomes name. */
    readonly seq: number;
    readonly time: string;
  };
}[EventData["redirection.requested"]["action"]];

/** What came of the last intent about a subject. */
export interface Outcome {
  /** `pending`: asked for, no answer yet. `error` then is what the try before said. */
  readonly state: "pending" | "applied" | "failed";
  readonly generation: number;
  /** Tries so far; 0 before the first answer. */
  readonly attempt: number;
  readonly durationMs?: number;
  readonly error?: { readonly code: string; readonly message: string };
  /** When the state was reached. */
  readonly time: string;
}

export interface Watch {
  readonly state: "synced" | "lost";
  /** It has synced at least once in this run: what it did not mention is not there. */
  readonly listed: boolean;
  readonly reason?: string;
  readonly time: string;
}

/** Objects as an earlier run knew them. */
export interface Memory {
  readonly namespaces: State["namespaces"];
  readonly pods: State["pods"];
}

/** What the agent is told when it starts. */
export interface AgentFacts {
  readonly version: string;
  readonly node: string;
  readonly config: DecisionConfiguration;
  readonly startedAt: string;
  readonly stopped?: { readonly reason: string; readonly time: string };
}

/**
 * All that the agent knows, as its events have told it. Immutable; collections share structure, so that a step costs what it touches
 * and not what the node holds. The second half are indices: they follow from the first and exist so that `decide` need not search.
 */
export interface State {
  /** Place in the log of the last event that is in this state; 0 before the first. */
  readonly seq: number;
  readonly agent?: AgentFacts;
  readonly backend?: EventData["backend.selected"];
  readonly switch?: SwitchUnderWay;
  readonly switched?: Switched;
  readonly namespaces: ImmutableMap<string, Readonly<Record<string, string>>>;
  /** By pod UID. */
  readonly pods: ImmutableMap<string, Pod>;
  /** By container (sandbox) id. */
  readonly interfaces: ImmutableMap<string, Interface>;
  /** `host.addresses`. */
  readonly hostAddresses: readonly string[];
  /** Addresses of `node.observed`, of our own node. */
  readonly observedAddresses: readonly string[];
  readonly watches: ImmutableMap<string, Watch>;
  /** What the run before knew, until the watches of this run have listed it: taken out while one cannot. */
  readonly remembered: Memory;
  /** Subjects of pods and namespaces that are here from memory, and that this run has not seen. */
  readonly recalled: ImmutableSet<string>;
  /** By subject: `workload/<uid>`, `proxies`, `node`. */
  readonly requested: ImmutableMap<string, Requested>;
  readonly outcomes: ImmutableMap<string, Outcome>;
  /** Problems that the last observation found, by subject. */
  readonly drift: ImmutableMap<string, readonly string[]>;
  /** Why no interface was found, by pod UID. */
  readonly discovery: ImmutableMap<string, EventData["discovery.failed"]["attempts"]>;
  /** Subjects requested by an earlier run and not yet confirmed by what this run sees: held as they are until it does. */
  readonly carried: ImmutableSet<string>;
  /** UIDs of proxies that an earlier run used and whose interface this run has heard nothing of. */
  readonly carriedProxies: ImmutableSet<string>;
  /** Subjects to be requested again although their spec has not changed: a retry is due, or drift was found. */
  readonly again: ImmutableSet<string>;

  readonly podsByNamespace: Index;
  /** UIDs of pods that match the proxy selector, wherever they run. */
  readonly proxyPods: ImmutableSet<string>;
  /** Container ids by pod UID. */
  readonly containersByPod: Index;
  /** Container ids by interface index of the host end. */
  readonly containersByLink: Index<number>;
  /** Pod UIDs by address. */
  readonly claims: Index;
}

export const initialState: State = {
  seq: 0,
  namespaces: ImmutableMap(),
  pods: ImmutableMap(),
  interfaces: ImmutableMap(),
  hostAddresses: [],
  observedAddresses: [],
  watches: ImmutableMap(),
  remembered: { namespaces: ImmutableMap(), pods: ImmutableMap() },
  recalled: ImmutableSet(),
  requested: ImmutableMap(),
  outcomes: ImmutableMap(),
  drift: ImmutableMap(),
  discovery: ImmutableMap(),
  carried: ImmutableSet(),
  carriedProxies: ImmutableSet(),
  again: ImmutableSet(),
  podsByNamespace: emptyIndex(),
  proxyPods: ImmutableSet(),
  containersByPod: emptyIndex(),
  containersByLink: emptyIndex<number>(),
  claims: emptyIndex(),
};
