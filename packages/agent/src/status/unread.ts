import type { Status } from "./status-document.ts";

/**
 * Why it is not known what the kernel holds now; undefined where it is. The same words for as long as the reason is the same: an Event that
 * says them again is one of a series.
 */
export function describeUnread({ observation, unread }: Pick<Status, "observation" | "unread">): string | undefined {
  const last = observation === undefined ? "it has not been read yet" : `it was last read at ${observation.time}`;
  if (unread !== undefined) return `the kernel cannot be read: ${unread.code}: ${unread.message}; ${last}`;
  return observation === undefined ? "the kernel has not been read yet" : undefined;
}

/** Of what is known from before only. */
export const UNSEEN = "the kernel cannot be read now";
