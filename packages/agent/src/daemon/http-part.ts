import { statSync } from "node:fs";
import { type Configuration, errorCode, type Part, workloadUid } from "@millrace/core/internal";
import { freshPage } from "../http/fresh-page.ts";
import { HttpServer, json, type Page } from "../http/http-server.ts";
import { stuck } from "../http/liveness.ts";
import type { Logger } from "../logging/logger.ts";
import { Metrics, type Reading } from "../metrics/metrics.ts";
import type { AdminPart } from "./admin-part.ts";
import type { EnginePart } from "./engine-part.ts";
import type { InstallPart } from "./install-part.ts";
import type { ReadinessView } from "./readiness-view.ts";
import type { ReconcilingPart } from "./reconciling-part.ts";
import type { ReportsPart } from "./reports-part.ts";
import { Started } from "./started.ts";
import type { WatchersPart } from "./watchers-part.ts";

/** What these two say may be so old, in milliseconds: making them takes time from the event loop, and anybody may ask. */
const READY_MS = 100;
const METRICS_MS = 1_000;

interface Serving {
  readonly server: HttpServer;
  readonly metrics: Metrics;
}

/** `/healthz`, `/readyz` and `/metrics`: from before there is a redirection, so that an agent that waits for one is alive and says why. */
export class HttpPart implements Part {
  readonly name = "http endpoint";
  readonly #configuration: Configuration;
  readonly #engine: EnginePart;
  readonly #admin: AdminPart;
  readonly #reconciling: ReconcilingPart;
  readonly #watchers: WatchersPart;
  readonly #install: InstallPart;
  readonly #readiness: ReadinessView;
  readonly #reports: ReportsPart;
  readonly #log: Logger;
  readonly #serving = new Started<Serving>("the HTTP endpoint");

  constructor(
    configuration: Configuration,
    engine: EnginePart,
    admin: AdminPart,
    reconciling: ReconcilingPart,
    watchers: WatchersPart,
    install: InstallPart,
    readiness: ReadinessView,
    reports: ReportsPart,
    log: Logger,
  ) {
    this.#configuration = configuration;
    this.#engine = engine;
    this.#admin = admin;
    this.#reconciling = reconciling;
    this.#watchers = watchers;
    this.#install = install;
    this.#readiness = readiness;
    this.#reports = reports;
    this.#log = log.child({ component: "http" });
  }

  async start(): Promise<void> {
    const { enabled, address, port } = this.#configuration.http;
    if (!enabled) return;
    const { records$ } = this.#engine.engine;
    const metrics = new Metrics({ read: () => this.#read(), records$, cniAnswers$: this.#watchers.cniAnswers$ });
    try {
      const server = await HttpServer.listen({ address, port, log: this.#log, pages: this.#pages(metrics) });
      this.#serving.set({ server, metrics });
    } catch (error) {
      metrics[Symbol.dispose]();
      throw error;
    }
    this.#log.info({ address, port }, "HTTP endpoint is open");
  }

  async stop(): Promise<void> {
    const serving = this.#serving.clear();
    await serving?.server[Symbol.asyncDispose]();
    serving?.metrics[Symbol.dispose]();
  }

  #pages(metrics: Metrics): Readonly<Record<string, () => Page | Promise<Page>>> {
    return {
      "/healthz": () => this.#healthz(),
      "/readyz": freshPage(READY_MS, () => {
        const conditions = this.#readiness.conditions();
        const ready = conditions.every(({ ok }) => ok);
        return json(ready ? 200 : 503, { ready, conditions });
      }),
      "/metrics": freshPage(METRICS_MS, async () => ({
        status: 200,
        type: metrics.contentType,
        body: await metrics.render(),
      })),
    };
  }

  /** That there is an answer at all says that the event loop turns. */
  #healthz(): Page {
    const reason = stuck(this.#engine.engine.oldestWaitMs, this.#configuration.eventLog.appendDeadlineMs);
    return reason === undefined ? json(200, { alive: true }) : json(503, { alive: false, reason });
  }

  #read(): Reading {
    const { drift } = this.#engine.engine.state;
    const status = this.#admin.status();
    return {
      status,
      conditions: this.#readiness.conditions(status),
      drifted: drift.keySeq().count((subject) => workloadUid(subject) !== undefined),
      queue: this.#reconciling.queue,
      watches: this.#watchers.watchStatistics,
      install: this.#install.state,
      writes: this.#reports.writes,
      eventLogBytes: bytesOf(this.#configuration.eventLog.path),
    };
  }
}

/** The log, and what SQLite keeps beside it ("Write-Ahead Logging"). */
function bytesOf(path: string): number {
  return ["", "-wal", "-shm"].reduce((sum, suffix) => sum + sizeOf(path + suffix), 0);
}

/** A file that is not there has no bytes; of one that cannot be looked at nothing is known. */
function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    return ["ENOENT", "ENOTDIR"].includes(errorCode(error)) ? 0 : Number.NaN;
  }
}
