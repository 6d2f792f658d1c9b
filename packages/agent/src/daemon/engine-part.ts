import {
  type Configuration,
  decisionConfiguration,
  Engine,
  type EventInput,
  EventLog,
  type EventLogStatus,
  initialState,
  inputs,
  type Part,
  restoreState,
  type State,
  subjects,
  toSnapshot,
} from "@millrace/core/internal";
import type { Logger } from "../logging/logger.ts";
import { VERSION } from "../version.ts";
import { Started } from "./started.ts";

/** The event log, and the engine that goes on where the log left off. */
export class EnginePart implements Part {
  readonly name = "engine";
  readonly #configuration: Configuration;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  readonly #eventLog = new Started<EventLog>("the event log");
  readonly #engine = new Started<Engine>("the engine");

  constructor(configuration: Configuration, log: Logger, signal: AbortSignal) {
    this.#configuration = configuration;
    this.#log = log;
    this.#signal = signal;
  }

  get engine(): Engine {
    return this.#engine.value;
  }

  get eventLogStatus(): EventLogStatus {
    return this.#eventLog.value.status();
  }

  async start(): Promise<void> {
    const { eventLog: options, node } = this.#configuration;
    const eventLog = await EventLog.open({ ...options, log: this.#log.child({ component: "event-log" }) });
    this.#eventLog.set(eventLog);
    const restored = this.#restored();
    const engine = new Engine({
      eventLog,
      state: restored ?? initialState,
      log: this.#log.child({ component: "engine" }),
    });
    this.#engine.set(engine);
    // What is asked for from here on does not follow from the rows before.
    if (restored === undefined) await engine.submit(unread());
    await engine.submit(
      inputs.agentStarted({ version: VERSION, node: node.name, config: decisionConfiguration(this.#configuration) }),
    );
    // Where the next start and a replay may begin, whatever became of the rows before it.
    await engine.submit({ type: "state.snapshot", subject: subjects.log, data: toSnapshot(engine.state) });
  }

  async stop(): Promise<void> {
    const engine = this.#engine.clear();
    await engine?.submit(inputs.agentStopped(stopReason(this.#signal)));
    await engine?.settled();
    await this.#eventLog.clear()?.[Symbol.asyncDispose]();
  }

  /**
   * What earlier runs asked for. A log that cannot be read back costs that memory and nothing else: what is wanted comes from the
   * watchers, and what is there from the kernel.
   */
  #restored(): State | undefined {
    const { path } = this.#configuration.eventLog;
    try {
      const state = restoreState(path);
      this.#log.info({ path, lastEvent: state.seq, requested: state.requested.size }, "event log read back");
      return state;
    } catch (error) {
      this.#log.error({ err: error, path }, "event log cannot be read back, starting without it");
      return undefined;
    }
  }
}

function unread(): EventInput<"log.gap"> {
  const reason = "the log could not be read back: this run does not know what earlier ones asked for";
  return { type: "log.gap", subject: subjects.log, data: { count: 0, reason, unread: true } };
}

function stopReason({ aborted, reason }: AbortSignal): string {
  return aborted && reason instanceof Error ? reason.message : "the agent did not start completely";
}
