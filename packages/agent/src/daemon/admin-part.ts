import type { Configuration, Part } from "@millrace/core/internal";
import { peerCredentials } from "linux-ts";
import { AdminServer, type AdminService } from "../admin/admin-server.ts";
import { type ExplainQuery, explainPod } from "../explain/explain-pod.ts";
import type { ExplanationDocument } from "../explain/explanation-document.ts";
import type { Logger } from "../logging/logger.ts";
import type { ShadowDocument } from "../shadow/shadow-document.ts";
import { buildStatus } from "../status/build-status.ts";
import type { KernelView } from "../status/kernel-view.ts";
import type { Status } from "../status/status-document.ts";
import type { SwitchAnswer, SwitchRequest } from "../status/switch-document.ts";
import { VERSION } from "../version.ts";
import type { EnginePart } from "./engine-part.ts";
import type { ReconcilingPart } from "./reconciling-part.ts";
import type { RedirectionPart } from "./redirection-part.ts";
import type { RetiringPart } from "./retiring-part.ts";
import type { ShadowPart } from "./shadow-part.ts";
import { Started } from "./started.ts";
import type { Switcher } from "./switcher.ts";

/** Serves the admin socket, from before there is a redirection: also an agent that waits for one can be asked why. */
export class AdminPart implements Part, AdminService {
  readonly name = "admin socket";
  readonly #configuration: Configuration;
  readonly #engine: EnginePart;
  readonly #redirection: RedirectionPart;
  readonly #reconciling: ReconcilingPart;
  readonly #retiring: RetiringPart;
  readonly #view: KernelView;
  readonly #log: Logger;
  readonly #switcher: Switcher;
  readonly #shadow: ShadowPart;
  readonly #server = new Started<AdminServer>("the admin socket");

  constructor(
    configuration: Configuration,
    engine: EnginePart,
    redirection: RedirectionPart,
    reconciling: ReconcilingPart,
    retiring: RetiringPart,
    switcher: Switcher,
    shadow: ShadowPart,
    view: KernelView,
    log: Logger,
  ) {
    this.#configuration = configuration;
    this.#engine = engine;
    this.#redirection = redirection;
    this.#reconciling = reconciling;
    this.#retiring = retiring;
    this.#view = view;
    this.#log = log.child({ component: "admin" });
    this.#switcher = switcher;
    this.#shadow = shadow;
  }

  async start(): Promise<void> {
    const path = this.#configuration.sockets.admin;
    this.#server.set(await AdminServer.listen({ path, service: this, log: this.#log, peer: peerCredentials }));
    this.#log.info({ path }, "admin socket is open");
  }

  async stop(): Promise<void> {
    await this.#server.clear()?.[Symbol.asyncDispose]();
  }

  status(): Status {
    const { node, failurePolicy } = this.#configuration;
    const { state } = this.#engine.engine;
    const { backend, problem } = this.#redirection;
    const { state: logState, ...eventLog } = this.#engine.eventLogStatus;
    const lastSwitch = this.#switcher.status();
    return buildStatus({
      time: new Date().toISOString(),
      state,
      view: this.#view,
      agent: {
        version: VERSION,
        node: node.name,
        pid: process.pid,
        startedAt: state.agent?.startedAt ?? new Date(Date.now() - process.uptime() * 1000).toISOString(),
        redirectMode: this.#switcher.mode,
        failurePolicy,
        ...(backend !== undefined && { backend }),
        ...(state.backend !== undefined && {
          selection: { reason: state.backend.reason, probes: state.backend.probes },
        }),
        ...(problem !== undefined && { problem }),
      },
      plugins: this.#redirection.pluginTroubles,
      earlier: this.#retiring.status(),
      ...(lastSwitch !== undefined && { switch: lastSwitch }),
      eventLog: { ...eventLog, lastSeq: state.seq, state: logState },
    });
  }

  explain(query: ExplainQuery): Promise<ExplanationDocument> {
    const redirection = this.#redirection;
    const { backend } = redirection;
    const serving =
      backend === undefined ? undefined : { backend, by: (name: string) => redirection.redirectionBy(name) };
    return explainPod(this.#engine.engine.state, serving, query);
  }

  switchTo(request: SwitchRequest): Promise<SwitchAnswer> {
    return this.#switcher.request(request);
  }

  shadow(): Promise<ShadowDocument> {
    return this.#shadow.report(this.status().workloads);
  }

  async observe(): Promise<Status> {
    await this.#reconciling.observe();
    return this.status();
  }
}
