import { PluginRunner } from "./plugin-runner.ts";

// A process of its own for one plugin: the agent starts it and ends it. What it is asked for comes over the channel that Node made.

/** Often enough that a busy machine is no reason to end it. */
const BEAT_MS = 500;

const send = process.send?.bind(process);
if (send === undefined) throw new Error("child.ts is started by the agent only, with a channel");

const runner = new PluginRunner((message, sent) => {
  // Where nobody listens any more there is nobody to tell.
  send(message, undefined, undefined, () => sent?.());
});
process.on("message", (message) => runner.receive(message));
// The agent has ended, however it did.
process.on("disconnect", () => process.exit());
// What ends the agent's process group is the agent's to heed: it finishes what is under way.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);
process.on("uncaughtException", (error) => runner.crashed(error, () => process.exit(1)));
runner.beat();
setInterval(() => runner.beat(), BEAT_MS);
