import { CoreError } from "../errors.ts";

/** The result of `work`, or ERR_DEADLINE when it takes longer. The work itself goes on: it cannot be stopped from here. */
export async function withDeadline<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new CoreError("ERR_DEADLINE", `${what} did not finish within ${deadlineMs} ms`)),
    deadlineMs,
  );
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
