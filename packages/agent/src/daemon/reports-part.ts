import { type Configuration, type EventRecord, type Part, workloadUid } from "@millrace/core/internal";
import { auditTime, filter, interval, merge, pairwise, type Subscription } from "rxjs";
import type { WriteCounts } from "../kubernetes/api-writes.ts";
import { EventRecorder } from "../kubernetes/event-recorder.ts";
import { PodAnnotations } from "../kubernetes/pod-annotations.ts";
import { aboutNode, aboutPod } from "../kubernetes/regarding.ts";
import { StartupTaint } from "../kubernetes/startup-taint.ts";
import { TroubleBook } from "../kubernetes/trouble-book.ts";
import { troublesOf } from "../kubernetes/troubles.ts";
import type { Logger } from "../logging/logger.ts";
import type { KernelView } from "../status/kernel-view.ts";
import type { Status } from "../status/status-document.ts";
import type { AdminPart } from "./admin-part.ts";
import type { ApiPart } from "./api-part.ts";
import type { EnginePart } from "./engine-part.ts";
import type { InstallPart } from "./install-part.ts";
import type { ReadinessView } from "./readiness-view.ts";
import { Started } from "./started.ts";

/** After a change, what is to be told is looked at once in this time at the most. */
const LOOK_MS = 500;
/** And without any: for troubles that last. */
const AGAIN_MS = 5_000;

const NO_WRITES: WriteCounts = { annotation: {}, event: {}, taint: {} };

interface Reporting {
  readonly events: EventRecorder;
  readonly annotations: PodAnnotations;
  readonly taint: StartupTaint | undefined;
  readonly subscriptions: readonly Subscription[];
}

/**
 * Tells the cluster what became of this node's pods: Events, the redirection annotation, the startup taint. Level-triggered: what is true
 * is compared with what was told. Nothing waits for it, and nothing here can fail the agent: an API server that is away is told later.
 */
export class ReportsPart implements Part {
  readonly name = "kubernetes reports";
  readonly #configuration: Configuration;
  readonly #engine: EnginePart;
  readonly #admin: AdminPart;
  readonly #api: ApiPart;
  readonly #install: InstallPart;
  readonly #readiness: ReadinessView;
  readonly #view: KernelView;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  readonly #book = new TroubleBook();
  readonly #reporting = new Started<Reporting>("the reports");

  constructor(
    configuration: Configuration,
    engine: EnginePart,
    admin: AdminPart,
    api: ApiPart,
    install: InstallPart,
    readiness: ReadinessView,
    view: KernelView,
    log: Logger,
    signal: AbortSignal,
  ) {
    this.#configuration = configuration;
    this.#engine = engine;
    this.#admin = admin;
    this.#api = api;
    this.#install = install;
    this.#readiness = readiness;
    this.#view = view;
    this.#log = log.child({ component: "reports" });
    this.#signal = signal;
  }

  /** What was written, and what came of it. */
  get writes(): WriteCounts {
    if (!this.#reporting.running) return NO_WRITES;
    const { events, annotations, taint } = this.#reporting.value;
    return { event: events.counts, annotation: annotations.counts, taint: taint?.counts ?? {} };
  }

  start(): void {
    if (!this.#api.enabled) return;
    const { api } = this.#api;
    const { node, kubernetes } = this.#configuration;
    const log = this.#log;
    const key = kubernetes.startupTaint;
    const { engine } = this.#engine;
    const changes = merge(engine.state$, this.#view.read$, this.#install.state$, interval(AGAIN_MS));
    const drift = engine.records$.pipe(filter((record) => record.type === "drift.found"));
    this.#reporting.set({
      events: new EventRecorder({ api, node: node.name, log }),
      annotations: new PodAnnotations({ api, log }),
      taint: key === undefined ? undefined : new StartupTaint({ api, node: node.name, key, log }),
      subscriptions: [
        changes.pipe(auditTime(LOOK_MS)).subscribe(() => this.#look()),
        drift.subscribe((record) => this.#tellDrift(record as EventRecord<"drift.found">)),
        this.#install.state$.pipe(pairwise()).subscribe(([before, after]) => {
          // Written although it was in place: somebody had taken it away.
          if (before?.state !== "installed" || after === undefined || after.writes === before.writes) return;
          this.#tellMended(after.detail);
        }),
      ],
    });
  }

  async stop(): Promise<void> {
    const reporting = this.#reporting.clear();
    if (reporting === undefined) return;
    for (const subscription of reporting.subscriptions) subscription.unsubscribe();
    await Promise.all(
      [reporting.events, reporting.annotations, reporting.taint].map((writer) => writer?.[Symbol.asyncDispose]()),
    );
  }

  #look(): void {
    // What an agent that stops lets go is no trouble, and says nothing of what the kernel holds.
    if (this.#signal.aborted) return;
    const { events, annotations, taint } = this.#reporting.value;
    const status = this.#admin.status();
    const now = performance.now();
    const troubles = troublesOf({ status, install: this.#install.state });
    for (const occurrence of this.#book.look(troubles, status, now)) events.record(occurrence);
    const { workloads, observation, unread, agent } = status;
    const kernelIsKnown = agent.problem === undefined && (observation !== undefined || unread !== undefined);
    annotations.look({ workloads, pods: this.#engine.engine.state.pods, kernelIsKnown }, now);
    taint?.look(hasProxy(status) && this.#readiness.conditions(status).every(({ ok }) => ok));
  }

  #tellDrift({ subject, data }: EventRecord<"drift.found">): void {
    const uid = workloadUid(subject);
    const { pods } = this.#engine.engine.state;
    const pod = uid === undefined ? undefined : pods.get(uid);
    if (pod === undefined) return;
    const note = `the kernel differed from what was applied, and is put right: ${data.problems.join("; ")}`;
    this.#reporting.value.events.record({ regarding: aboutPod(pod), reason: "RedirectionDrifted", note });
  }

  #tellMended(detail: string): void {
    const note =
      "the CNI plugin or its entry had to be written again: somebody had taken it away, or changed the network configuration; pods that " +
      `started meanwhile were redirected late; now ${detail}`;
    const regarding = aboutNode(this.#configuration.node.name);
    this.#reporting.value.events.record({ regarding, reason: "CniConfigurationMended", note });
  }
}

/** There is a proxy that new connections can go to. */
const hasProxy = ({ proxies }: Status): boolean =>
  proxies.some(({ role, state }) => role === "active" && state === "complete");
