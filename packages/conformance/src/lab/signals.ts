import { destroyLab } from "./sweep.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const open = new Set<string>();

/** Destroys the lab when this process is told to end, then lets the signal end it. */
export function destroyOnSignal(prefix: string): void {
  if (open.size === 0) for (const signal of SIGNALS) process.on(signal, destroyAll);
  open.add(prefix);
}

/** The lab was disposed of in the ordinary way. */
export function forget(prefix: string): void {
  open.delete(prefix);
  if (open.size === 0) for (const signal of SIGNALS) process.off(signal, destroyAll);
}

function destroyAll(signal: NodeJS.Signals): void {
  for (const prefix of open) {
    destroyLab(prefix);
    forget(prefix);
  }
  process.kill(process.pid, signal);
}
