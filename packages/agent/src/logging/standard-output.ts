import { type DestinationStream, destination } from "pino";

/** So much of the log waits in memory for room; what is written after that is lost, and counted. Characters. */
const MOST_WAITING = 1024 * 1024;

/**
 * Standard output for the log. Each line is written at once: the last ones before an end are those that matter. A disk that is full
 * must not end the agent: lines wait for room and are written in order once there is some. `onLost` is told then how many did not fit.
 * pino ends quietly when nobody reads (EPIPE).
 */
export function standardOutput(onLost: (lines: number) => void): DestinationStream {
  const output = destination({ fd: 1, sync: true, maxLength: MOST_WAITING });
  let lost = 0;
  output.on("drop", () => {
    lost += 1;
  });
  // Nowhere to tell it but the place that is full. The next line tries again.
  output.on("error", () => undefined);
  output.on("write", () => {
    if (lost === 0) return;
    const lines = lost;
    lost = 0;
    queueMicrotask(() => onLost(lines)); // not from within the write of another line
  });
  return output;
}
