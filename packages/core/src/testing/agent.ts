import { Engine, type EngineOptions } from "../engine/engine.ts";
import { silentLogger } from "../logger.ts";
import { KeyedQueue, type QueueOptions } from "../queue/keyed-queue.ts";
import type { Readings } from "../reconciler/readings.ts";
import { Reconciler, reconcileRank } from "../reconciler/reconciler.ts";
import { initialState } from "../state/state.ts";
import { FakeRedirection } from "./fake-redirection.ts";

export interface TestAgent {
  readonly engine: Engine;
  readonly queue: KeyedQueue;
  readonly reconciler: Reconciler;
  readonly redirection: FakeRedirection;
  /** Resolves when nothing is waiting, running or undecided any more. */
  idle(): Promise<void>;
}

const ignored = { ended: () => {}, failed: () => {} };
const notRead: Readings = { begin: () => ignored, beginWorkloads: () => ignored };

/** Engine, queue and reconciler, put together as the agent does, around a fake redirection. */
export function testAgent(
  options: Partial<EngineOptions> & {
    redirection?: FakeRedirection;
    queue?: Partial<QueueOptions>;
    deadlineMs?: number;
    readings?: Readings;
  } = {},
): TestAgent {
  const { redirection = new FakeRedirection(), queue: queueOptions, deadlineMs = 1000, ...others } = options;
  const { readings = notRead, ...rest } = others;
  const engine = new Engine({ state: initialState, log: silentLogger, ...rest });
  const reconciler = new Reconciler({
    redirection,
    state: () => engine.state,
    submit: (input) => engine.submit(input),
    log: silentLogger,
    readings,
    deadlineMs,
  });
  const queue = new KeyedQueue({
    run: (key, attempt) => reconciler.reconcile(key, attempt),
    retryDue: (key, data) => engine.submit({ type: "retry.due", subject: key, data }),
    rank: reconcileRank,
    backoff: { baseMs: 5, capMs: 20 },
    ...queueOptions,
  });
  engine.intents$.subscribe(({ subject }) => queue.add(subject));
  const idle = async () => {
    for (let quiet = 0; quiet < 3; ) {
      await engine.settled();
      await new Promise((resolve) => setImmediate(resolve));
      const { waiting, running } = queue.status();
      quiet = waiting.length + running.length === 0 ? quiet + 1 : 0;
    }
  };
  return { engine, queue, reconciler, redirection, idle };
}
