import type { Probe } from "@millrace/core";
import {
  type EventData,
  inputs,
  lastPlacement,
  type PlannedStep,
  planSwitch,
  type State,
  type SwitchUnderWay,
  subjects,
  wantedRedirection,
  workloadUid,
} from "@millrace/core/internal";
import { AgentError } from "../errors.ts";
import { plannedWorkloads } from "../shadow/planned-workloads.ts";
import type { SwitchAnswer, SwitchRequest, SwitchStatus } from "../status/switch-document.ts";
import type { EnginePart } from "./engine-part.ts";
import type { RedirectionPart } from "./redirection-part.ts";

/** Takes requests to move the node, or some of its workloads, to another backend. The moving is decided and done like everything else. */
export class Switcher {
  readonly #engine: EnginePart;
  readonly #redirection: RedirectionPart;

  #mode: string;

  /** `mode`: redirectMode as configured. */
  constructor(mode: string, engine: EnginePart, redirection: RedirectionPart) {
    this.#mode = mode;
    this.#engine = engine;
    this.#redirection = redirection;
  }

  /** `redirectMode` as configured now. */
  get mode(): string {
    return this.#mode;
  }

  /** What the configuration says now. Throws as {@link request}; the mode counts as changed even so. */
  async followMode(mode: string): Promise<SwitchAnswer> {
    this.#mode = mode;
    const to = await this.#redirection.backendOf(mode);
    return this.#begin({ to, dryRun: false }, `redirectMode is ${mode} now`);
  }

  /** Throws `ERR_SWITCH_REFUSED` with why, `ERR_REDIRECT_MODE_UNKNOWN`, `ERR_NO_CAPABLE_BACKEND`; nothing has changed then. */
  request(request: SwitchRequest): Promise<SwitchAnswer> {
    return this.#begin(request, "asked for by millrace switch");
  }

  async #begin({ to, pods, dryRun }: SwitchRequest, reason: string): Promise<SwitchAnswer> {
    const { engine } = this.#engine;
    const { state } = engine;
    const from = state.switch?.home ?? state.backend?.backend;
    if (from === undefined || this.#redirection.backend === undefined) refuse("no redirection is open yet");
    if (this.#redirection.earlierAll.length > 0) refuse("the redirection of an earlier run is still there");
    const { switch: current } = state;
    if (current !== undefined && to !== current.home && to !== current.away) {
      refuse(`a switch between ${current.home} and ${current.away} is under way`);
    }
    if (pods !== undefined && current?.everything === true) refuse("the whole node is being switched");
    const dry = dryRun ? await this.#plan(to) : undefined;
    const summary = dry?.summary ?? (await this.#redirection.requireCapable(to));
    const data: EventData["switch.requested"] = {
      to,
      ...(pods !== undefined && { uids: pods.map((pod) => uidOf(state, pod)) }),
      mode: this.#mode,
      reason,
    };
    const planned = planSwitch(state, data, new Date().toISOString());
    const steps = planned.map((step) => describe(state, step));
    if (!dryRun) await engine.submit(inputs.switchRequested(data));
    const moving = new Set(planned.map(({ subject }) => workloadUid(subject)));
    return {
      from,
      to,
      summary,
      steps,
      isBegun: !dryRun,
      lacks: dry?.lacks ?? [],
      refused: dry?.refused ?? [],
      ...(dry?.workloads !== undefined && { workloads: dry.workloads.filter(({ uid }) => moving.has(uid)) }),
    };
  }

  /** What that backend lacks here, and what it would refuse. */
  async #plan(to: string) {
    const wanted = wantedRedirection(this.#engine.engine.state);
    const probe = await this.#redirection.probeOf(to);
    const plan = probe.capable ? await this.#redirection.planOf(to, wanted) : undefined;
    return {
      summary: probe.summary,
      lacks: probe.capable ? [] : lacksOf(probe),
      refused: (plan?.refused ?? []).map(({ code, message }) => `${code}: ${message}`),
      workloads: plan && plannedWorkloads(plan, wanted.workloads),
    };
  }

  /** For the status; undefined where there is none and never was. */
  status(): SwitchStatus | undefined {
    const { state } = this.#engine.engine;
    const standby = [...this.#redirection.standby];
    const { switch: current, switched } = state;
    if (current !== undefined) {
      const { home, away, reason, time, failure } = current;
      const to = isBound(current) ? away : home;
      const moved = countOn(state, current, to);
      return {
        state: "under way",
        from: to === away ? home : away,
        to,
        reason,
        time,
        isPartial: !current.everything && current.uids.length > 0,
        moved: moved.there,
        remaining: moved.all - moved.there,
        standby,
        ...(failure && { failure: `${name(state, failure.subject)}: ${failure.code}: ${failure.message}` }),
      };
    }
    if (switched === undefined && standby.length === 0) return undefined;
    const { backend = this.#redirection.backend ?? "", time = state.agent?.startedAt ?? "", failure } = switched ?? {};
    return {
      state: "done",
      to: backend,
      time,
      standby,
      ...(failure && { failure: `${name(state, failure.subject)}: ${failure.code}: ${failure.message}` }),
    };
  }
}

function lacksOf({ features, summary }: Probe): string[] {
  const missing = features.filter(({ available, required }) => required && !available);
  return missing.length === 0 ? [summary] : missing.map(({ name, detail }) => `${name}: ${detail}`);
}

function refuse(why: string): never {
  throw new AgentError("ERR_SWITCH_REFUSED", `the switch was refused: ${why}`);
}

const isBound = ({ everything, uids }: SwitchUnderWay): boolean => everything || uids.length > 0;

function countOn(state: State, { home, uids, everything }: SwitchUnderWay, backend: string) {
  let all = 0;
  let there = 0;
  for (const [subject, { action }] of state.requested) {
    const uid = workloadUid(subject);
    if (uid === undefined || action !== "apply" || (!everything && uids.length > 0 && !uids.includes(uid))) continue;
    const { on, joins, leaves } = lastPlacement(state, subject) ?? { on: home };
    all += 1;
    const isThere = on === backend && joins === undefined;
    if (isThere && (leaves === undefined || state.outcomes.get(subject)?.state === "applied")) there += 1;
  }
  return { all, there };
}

/** `namespace/name`, or a UID. */
function uidOf(state: State, pod: string): string {
  for (const [uid, { namespace, name }] of state.pods) {
    const isIt = uid === pod || `${namespace}/${name}` === pod;
    if (isIt && state.requested.get(subjects.workload(uid))?.action === "apply") return uid;
  }
  return refuse(`${pod} is no member on this node`);
}

function name(state: State, subject: string): string {
  const pod = state.pods.get(workloadUid(subject) ?? "");
  return pod === undefined ? subject : `${pod.namespace}/${pod.name}`;
}

/** `shop/web: joins iptables, stays in ebpf`. */
function describe(state: State, { subject, placement: { on, joins, leaves } }: PlannedStep): string {
  const who = subject === subjects.proxies ? "the node's proxies" : name(state, subject);
  if (joins !== undefined) return `${who}: ${joins} joins ${on}`;
  if (leaves !== undefined) return `${who}: ${on} alone, ${leaves} lets go`;
  return `${who}: ${on}`;
}
