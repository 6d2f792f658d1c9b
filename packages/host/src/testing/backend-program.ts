import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import type { Plugin, Redirection, Shadow, Workload } from "@millrace/core";
import { errorCode, errorMessage } from "@millrace/core/internal";
import { openNetns } from "linux-ts";
import type { Ask, ProgramSettings, Refusal } from "./backend-process.ts";

/**
 * A process of its own that runs a backend: one JSON object per line in, `{ verb, argument }`, and one out, `{ result }` or `{ error }`.
 * It does nothing the backend does not do, so killing it is a crash of the agent.
 */
const { module, from, config, policy, host }: ProgramSettings = JSON.parse(process.argv[2] ?? "{}");
const path = createRequire(from).resolve(module);
const { default: plugin }: { default: Plugin } = await import(pathToFileURL(path).href);
const say = (level: string) => (fields: object, message: string) =>
  void process.stderr.write(`${JSON.stringify({ level, message, ...fields })}\n`);
const backend = plugin.create({
  config: plugin.config.parse(config),
  policy,
  host,
  log: { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") },
  signal: new AbortController().signal,
});
let redirection: Redirection | undefined;
let shadow: Shadow | undefined;

async function perform(verb: string, argument: never): Promise<unknown> {
  if (verb === "probe") return backend.probe();
  if (verb === "traces") return traces(argument);
  if (verb === "open") {
    redirection = await backend.open();
    return undefined;
  }
  if (verb === "plan") return backend.plan?.(argument);
  if (verb === "openShadow") {
    shadow = await backend.openShadow?.();
    return undefined;
  }
  if (verb === "removeShadow") return backend.removeShadow?.();
  if (verb === "follow" || verb === "counts") return shadow?.[verb](argument);
  if (redirection === undefined) throw new Error("not open");
  if (verb === "close") return redirection[Symbol.asyncDispose]();
  if (verb === "together") return together(argument);
  if (verb === "applyAndRead") return applyAndRead(redirection, argument);
  return redirection[verb as "apply"](argument);
}

async function applyAndRead(redirection: Redirection, workloads: readonly Workload[]): Promise<unknown> {
  const applied = Promise.all(workloads.map((workload) => redirection.apply(workload)));
  const [, found] = await Promise.all([
    applied,
    redirection.observeWorkloads?.(new Set(workloads.map(({ uid }) => uid))),
  ]);
  return found;
}

/** Asked for in one turn of the event loop. */
function together(asks: readonly Ask[]): Promise<(Refusal | null)[]> {
  return Promise.all(asks.map(({ verb, argument }) => perform(verb, argument as never).then(() => null, refusalOf)));
}

function refusalOf(error: unknown): Refusal {
  return { code: errorCode(error), message: errorMessage(error) };
}

/** The namespaces come as paths; the node's own is always among them. */
async function traces(paths: readonly string[]): Promise<unknown> {
  using opened = new DisposableStack();
  const others = paths.map((path) => ({ fd: opened.use(openNetns(path)).fd, name: path }));
  return await backend.traces?.([{ fd: undefined, name: "node" }, ...others]);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { verb, argument } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ result: await perform(verb, argument as never) }));
  } catch (error) {
    console.log(JSON.stringify({ error: refusalOf(error) }));
  }
}
