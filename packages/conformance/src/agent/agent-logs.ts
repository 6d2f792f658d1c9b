import { existsSync } from "node:fs";
import { LabError } from "../errors.ts";
import { noteOfLog } from "./log-account.ts";
import { verifyLog } from "./verify-log.ts";

/** The event logs of a node's agents. Each is replayed in the end, in whatever way its agents ended; one that is not there is a failure. */
export class AgentLogs {
  /** Why agents leave none, where that is what the test is about. */
  withoutLog: string | undefined;
  /** By path: agents that were started since the log was last replayed for good. */
  readonly #agents = new Map<string, number>();

  /** An agent that logs there was started. */
  started(path: string): void {
    this.#agents.set(path, (this.#agents.get(path) ?? 0) + 1);
  }

  /** Replays a log for good: its agents have ended, or it is about to be taken away. Throws ERR_AGENT_LOG. */
  settle(path: string): void {
    const agents = this.#agents.get(path) ?? 0;
    if (existsSync(path)) {
      const events = verifyLog(path);
      if (agents > 0) noteOfLog({ kind: "replayed", agents, events });
    } else if (agents === 0) return;
    else if (this.withoutLog !== undefined) noteOfLog({ kind: "none", agents, because: this.withoutLog });
    else
      throw new LabError(
        "ERR_AGENT_LOG",
        `there is no event log at ${path}, where agents were to leave one (${agents})`,
      );
    this.#agents.set(path, 0);
  }

  /** Nobody is to look at them: their agents go on running. */
  leave(because: string): void {
    for (const [path, agents] of this.#agents) {
      if (agents > 0) noteOfLog({ kind: "none", agents, because });
      this.#agents.set(path, 0);
    }
  }

  /** Replays all of them. Throws ERR_AGENT_LOG with everything that is wrong. */
  settleAll(): void {
    const failures = [...this.#agents.keys()].flatMap((path) => {
      try {
        this.settle(path);
        return [];
      } catch (error) {
        return [error as Error];
      }
    });
    const [first, ...more] = failures;
    if (first === undefined) return;
    if (more.length === 0) throw first;
    throw new LabError("ERR_AGENT_LOG", `${failures.length} event logs are not as they should be`, {
      details: failures.map(({ message }) => message).join("\n"),
      cause: new AggregateError(failures),
    });
  }
}
