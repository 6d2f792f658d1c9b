/** Cleans up as well when this process is told to stop. */
export function onSignal(cleanUp: () => void): Disposable {
  const stop = (signal: NodeJS.Signals) => {
    cleanUp();
    process.kill(process.pid, signal);
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.once(signal, stop);
  return { [Symbol.dispose]: () => signals.forEach((signal) => void process.off(signal, stop)) };
}
