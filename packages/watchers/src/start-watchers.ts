import type { Sink, Watcher } from "./watcher.ts";

/**
 * Starts watchers in order, all into one sink: in the agent, the `next` of the RxJS Subject that feeds the event log.
 * When one cannot start, those before it are stopped in reverse and its error is thrown. Disposing the result stops all, in reverse.
 */
export async function startWatchers(watchers: readonly Watcher[], sink: Sink): Promise<AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  for (const watcher of watchers) starting.use(await watcher.start(sink));
  return starting.move();
}
