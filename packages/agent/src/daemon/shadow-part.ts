import type { RedirectionBackend, RedirectionPlan, Shadow, ShadowedWorkload, WantedRedirection } from "@millrace/core";
import { type Part, wantedRedirection } from "@millrace/core/internal";
import { auditTime, filter, merge, type Subscription, timer } from "rxjs";
import type { Setup } from "../cli/settings-options.ts";
import { describeError } from "../logging/describe-error.ts";
import type { Logger } from "../logging/logger.ts";
import { type Counters, compareCounters, differencesOf } from "../shadow/compare.ts";
import { plannedWorkloads } from "../shadow/planned-workloads.ts";
import type { ShadowDocument, ShadowedDocument } from "../shadow/shadow-document.ts";
import type { WorkloadStatus } from "../status/status-document.ts";
import type { EnginePart } from "./engine-part.ts";
import type { RedirectionPart } from "./redirection-part.ts";

/** How soon after a change the shadow follows; once in this time at the most. */
const FOLLOW_MS = 500;

interface Counting {
  readonly shadow: Shadow;
  readonly since: string;
  /** What served when it began, and its counters then. */
  readonly active: string;
  readonly before: Counters;
}

/**
 * Plans, and counts where the backend can, what another backend would do with what this node has. It decides nothing and nothing is decided by it: none
 * of what it does is an event, and what goes wrong with it is told and tried again, and stops nothing.
 */
export class ShadowPart implements Part {
  readonly name = "shadow";
  readonly #setup: Setup;
  readonly #engine: EnginePart;
  readonly #redirection: RedirectionPart;
  readonly #log: Logger;
  #counting: Counting | undefined;
  #problem: string | undefined;
  #subscription: Subscription | undefined;
  /** One after the other. */
  #working: Promise<void> = Promise.resolve();

  constructor(setup: Setup, engine: EnginePart, redirection: RedirectionPart, log: Logger) {
    this.#setup = setup;
    this.#engine = engine;
    this.#redirection = redirection;
    this.#log = log.child({ component: "shadow" });
  }

  start(): void {
    const { shadow, resync } = this.#setup.configuration;
    this.#next(() => this.#removeOthers());
    if (shadow === "off") return;
    const done = /^redirection\.(applied|removed)$/;
    const changes$ = this.#engine.engine.records$.pipe(
      filter(({ type }) => done.test(type)),
      auditTime(FOLLOW_MS),
    );
    const interval = resync.intervalSeconds * 1000;
    this.#subscription = merge(changes$, timer(0, interval)).subscribe(() => this.#next(() => this.#follow()));
  }

  /** Leaves what counts in the kernel, for the next agent: an agent that is told to remove everything takes it away. */
  async stop(): Promise<void> {
    this.#subscription?.unsubscribe();
    await this.#working;
    await this.#counting?.shadow[Symbol.asyncDispose]();
    this.#counting = undefined;
  }

  /** What it plans now, what it counted, and where that differs from the backend that serves, whose view of the workloads is `statuses`. */
  async report(statuses: readonly WorkloadStatus[]): Promise<ShadowDocument> {
    const { shadow } = this.#setup.configuration;
    const active = this.#redirection.backend;
    const head = { shadow, ...(active !== undefined && { active }) };
    const nothing = { shared: [], refused: [], workloads: [], comparisons: [], differences: [] };
    if (shadow === "off" || active === undefined) return { ...head, ...nothing };
    const wanted = wantedRedirection(this.#engine.engine.state);
    let plan: RedirectionPlan = { shared: [], refused: [], workloads: [] };
    let problem = this.#problem;
    try {
      plan = await this.#plan(shadow, wanted);
    } catch (error) {
      const { code = "ERR_UNEXPECTED", message } = describeError(error);
      problem = `it cannot be planned: ${code}: ${message}`;
    }
    const counting = this.#counting;
    const counted = await counting?.shadow.counts();
    const byUid = new Map(statuses.map((status) => [status.uid, status]));
    const workloads = plannedWorkloads(plan, wanted.workloads).map((planned): ShadowedDocument => {
      const own = counted?.find(({ uid }) => uid === planned.uid);
      return {
        ...planned,
        isEnrolled: byUid.get(planned.uid)?.state === "enrolled",
        ...(own !== undefined && { counts: countsOf(own) }),
        problems: [...(own?.problems ?? [])],
      };
    });
    return {
      ...head,
      ...(counting !== undefined && { since: counting.since }),
      ...(problem !== undefined && { problem }),
      shared: [...plan.shared],
      refused: plan.refused.map((each) => ({ ...each })),
      workloads,
      comparisons:
        counting === undefined ? [] : compareCounters(active, counting.before, await this.#counters(), workloads),
      differences: differencesOf(active, shadow, workloads, byUid),
    };
  }

  async #plan(backend: string, wanted: WantedRedirection): Promise<RedirectionPlan> {
    const plan = await this.#redirection.planOf(backend, wanted);
    if (plan === undefined) throw new Error(`the backend ${backend} cannot plan`);
    return plan;
  }

  async #counters(): Promise<Counters> {
    return (await this.#redirection.redirection.observe()).counters;
  }

  /** Shadows of earlier runs, which may have been of other backends. */
  async #removeOthers(): Promise<void> {
    const { shadow } = this.#setup.configuration;
    for (const { name, backend } of this.#redirection.backends()) {
      if (name === shadow) continue;
      const removed = (await backend.removeShadow?.()) ?? [];
      if (removed.length > 0) this.#log.info({ backend: name, removed }, "removed what an earlier run's shadow left");
    }
  }

  async #follow(): Promise<void> {
    const { shadow } = this.#setup.configuration;
    const active = this.#redirection.backend;
    if (active === undefined) return;
    const backend = this.#redirection.backends().find(({ name }) => name === shadow)?.backend;
    if (backend?.openShadow === undefined) return;
    const { shadow: counter } = await this.#open(active, backend);
    await counter.follow(wantedRedirection(this.#engine.engine.state));
    this.#problem = undefined;
  }

  /** Where another backend serves than when it began, it begins anew: its sums are compared with that one's. */
  async #open(active: string, backend: Pick<RedirectionBackend, "openShadow">): Promise<Counting> {
    if (this.#counting?.active === active) return this.#counting;
    await this.#counting?.shadow[Symbol.asyncDispose]();
    this.#counting = undefined;
    const before = await this.#counters();
    const shadow = await backend.openShadow?.();
    if (shadow === undefined) throw new Error("this backend cannot count without redirecting");
    this.#counting = { shadow, since: new Date().toISOString(), active, before };
    this.#log.info({ active }, "the shadow counts what it would capture");
    return this.#counting;
  }

  #next(work: () => Promise<void>): void {
    this.#working = this.#working.then(work).catch((error: unknown) => {
      const { code = "ERR_UNEXPECTED", message } = describeError(error);
      this.#problem = `${code}: ${message}`;
      this.#log.error({ err: error }, "the shadow could not follow, it is tried again");
    });
  }
}

const countsOf = ({ counts }: ShadowedWorkload) => counts.map((count) => ({ ...count }));
