import { Worker } from "node:worker_threads";
import type { FromWriter, ToWriter, WriterOptions } from "./writer-protocol.ts";

/** The module next to this one, in the form this one has: TypeScript in the sources, JavaScript when built. */
const THREAD = new URL(import.meta.url.endsWith(".ts") ? "./writer-thread.ts" : "./writer-thread.js", import.meta.url);

/** Starts the writer's thread. `onDeath` is called once, when it ends without having been told to. */
export function startWriter(
  options: WriterOptions,
  onMessage: (message: FromWriter) => void,
  onDeath: (reason: string) => void,
): { send(message: ToWriter): void; terminate(): void } {
  const worker = new Worker(THREAD, { workerData: options, name: "event-log" });
  let over = false;
  const end = (reason: string) => {
    if (!over) onDeath(reason);
    over = true;
  };
  worker.on("message", (message: FromWriter) => {
    if (message.kind === "closed") over = true;
    onMessage(message);
  });
  worker.on("error", (error) =>
    end(`the writer's thread failed: ${error instanceof Error ? error.message : String(error)}`),
  );
  worker.on("exit", (code) => end(`the writer's thread ended with code ${code}`));
  return {
    send: (message) => worker.postMessage(message),
    terminate: () => {
      over = true;
      void worker.terminate();
    },
  };
}
