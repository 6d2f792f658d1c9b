import { fork } from "node:child_process";
import { once } from "node:events";
import { finished } from "node:stream/promises";

const KEEPER = new URL(`./keeper${import.meta.url.endsWith(".js") ? ".js" : ".ts"}`, import.meta.url);

/** Runs the command line in a process that stays behind with the lab. Returns the exit status as soon as all is run and printed. */
export async function runKept(args: readonly string[]): Promise<number> {
  const keeper = fork(KEEPER, args, { detached: true, stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const forward = (signal: NodeJS.Signals) => keeper.kill(signal);
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, forward);
  const ended = once(keeper, "exit").then(() => 1);
  const told = once(keeper, "message").then(([message]) => (message as { readonly status: number }).status);
  const printed = [keeper.stdout, keeper.stderr].map(async (stream, index) => {
    stream?.pipe(index === 0 ? process.stdout : process.stderr, { end: false });
    if (stream !== null) await finished(stream);
  });
  const status = await Promise.race([told, ended]);
  await Promise.all(printed);
  for (const signal of signals) process.off(signal, forward);
  keeper.unref();
  return status;
}
