import type { Page } from "./http-server.ts";

/**
 * A page that is made anew when it is older than `forMs`, and at most once at a time: however many ask, making it costs no more of the event
 * loop than that. A page that could not be made is not kept.
 */
export function freshPage(forMs: number, make: () => Page | Promise<Page>): () => Promise<Page> {
  let made: Promise<Page> | undefined;
  let madeAt = 0;
  return () => {
    if (made !== undefined && performance.now() - madeAt < forMs) return made;
    const making = (async () => make())();
    madeAt = Number.POSITIVE_INFINITY;
    made = making;
    making.then(
      () => {
        madeAt = performance.now();
      },
      () => {
        made = undefined;
      },
    );
    return making;
  };
}
