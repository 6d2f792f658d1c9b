import { pause } from "../pause.ts";
import { within } from "../slow.ts";
import type { Expect } from "./expect.ts";

/** Tries until it holds, and notes how long that took. Fails after `timeoutMs`, with what was seen last. */
export async function eventually(
  expect: Expect,
  what: string,
  look: () => Promise<{ readonly holds: boolean; readonly seen: unknown }>,
  timeoutMs = within(5_000),
  intervalMs = 20,
): Promise<void> {
  const started = performance.now();
  const elapsed = (): number => Math.round(performance.now() - started);
  for (;;) {
    const began = performance.now();
    const { holds, seen } = await look();
    if (holds) {
      expect.note(what, `after ${elapsed()} ms`);
      return;
    }
    if (elapsed() > timeoutMs) expect.fail(`${what}: not within ${timeoutMs} ms, saw ${JSON.stringify(seen)}`);
    await pause(intervalMs, began);
  }
}
