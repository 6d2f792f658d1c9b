import type { EventInput } from "@millrace/core/internal";
import { type CniEngine, cniSocketWatcher, type WatcherLog } from "@millrace/watchers";
import { vi } from "vitest";
import type { Runtime } from "./runtime.ts";

/** What the engine says is each test's business. */
export function scriptedEngine() {
  return {
    enrolment: vi.fn<CniEngine["enrolment"]>().mockResolvedValue({ kind: "applied" }),
    check: vi.fn<CniEngine["check"]>().mockResolvedValue([]),
    attachment: vi.fn<CniEngine["attachment"]>(),
    attachments: vi.fn<CniEngine["attachments"]>().mockReturnValue([]),
    status: vi.fn<CniEngine["status"]>().mockReturnValue(undefined),
  };
}

const quiet: WatcherLog = { debug() {}, info() {}, warn() {}, error() {} };

/** The agent's own socket on a runtime's node: it reads the pods' interfaces from the kernel. What it tells is in `events`. */
export async function startAgent(
  runtime: Runtime,
  engine: CniEngine,
): Promise<AsyncDisposable & { events: EventInput[] }> {
  const events: EventInput[] = [];
  const watcher = cniSocketWatcher({
    path: runtime.socket,
    nodeNetns: runtime.netns,
    engine,
    log: quiet,
    deadlineMs: 2000,
  });
  const running = await watcher.start((input) => void events.push(input));
  return { events, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}
