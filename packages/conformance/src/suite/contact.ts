import type { LabHost } from "../lab/lab-host.ts";
import type { Place, Seen } from "../programs/endpoint/protocol.ts";
import type { Mark } from "../programs/haproxy.ts";
import type { ProxyRecord } from "../programs/haproxy-log.ts";
import { describeRecord } from "../programs/haproxy-log.ts";
import { within } from "../slow.ts";
import type { Trial } from "./behaviour.ts";

/** Round trips that make a connection warm. */
export const WARM_ROUNDS = 20;

export interface ContactOptions {
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly timeoutMs?: number;
}

/** What both sides and the proxy saw of the connections of one contact: one when cold, two when warm. */
export interface Contact {
  /** The server's view of the last connection. */
  readonly seen: Seen;
  /** Milliseconds that connection took. */
  readonly ms: number;
  readonly connections: number;
  /** When it began: see `Haproxy.mark`. */
  readonly since: Mark;
}

/**
 * One conversation in the trial's temperature. Cold: neighbour caches are emptied, then one connection. Warm: 20 round trips
 * on a connection that stays open, a second connection, then 20 more round trips on the first.
 */
export async function contact(trial: Trial, from: LabHost, to: Place, options: ContactOptions = {}): Promise<Contact> {
  const { bed, expect, temperature } = trial;
  const client = await from.endpoint();
  const since = bed.proxy.mark();
  const dial = { ...to, ...options };
  const what = `${from.name} → ${to.host} port ${to.port}`;
  if (temperature === "cold") {
    bed.lab.cool();
    const outcome = await client.ask("report", dial);
    const seen = expect.success(what, outcome);
    return { seen, ms: outcome.ms, connections: 1, since };
  }
  const { localPort: _, ...second } = dial;
  const { handle } = expect.success(`${what}, first connection`, await client.ask("open", dial));
  expect.success(`${what}, 20 round trips`, await client.ask("exchange", { handle, rounds: WARM_ROUNDS }));
  const outcome = await client.ask("report", second);
  const seen = expect.success(what, outcome);
  expect.success(`${what}, 20 round trips more`, await client.ask("exchange", { handle, rounds: WARM_ROUNDS }));
  await client.ask("close", { handle });
  return { seen, ms: outcome.ms, connections: 2, since };
}

/** How the proxy should have seen a contact. */
export interface Capture {
  readonly frontend: ProxyRecord["frontend"];
  readonly source: string;
  readonly destination: Place;
}

/** Expects that each connection of the contact was recorded exactly once, as given, and nothing else was. */
export async function expectCaptured(trial: Trial, made: Contact, capture: Capture): Promise<void> {
  const wanted = `${capture.frontend} ${capture.source} → ${capture.destination.host} port ${capture.destination.port}`;
  const records = await recordsSince(trial, made.since, made.connections);
  const seen = records.map(
    (record) => `${record.frontend} ${record.source} → ${record.destination} port ${record.destinationPort}`,
  );
  trial.expect.equal(
    "the proxy saw",
    seen,
    Array.from({ length: made.connections }, () => wanted),
  );
}

/** Expects that the proxy saw nothing of the contact. */
export async function expectUntouched(trial: Trial, made: Contact): Promise<void> {
  trial.expect.equal("the proxy saw", (await recordsSince(trial, made.since)).map(describeRecord), []);
}

/**
 * The proxy's records of connections since then. A record is written when its connection has ended on both sides, a little after the
 * client is done: waits up to 10 s for `atLeast` of them, and then until none has come for a while.
 */
export async function recordsSince(
  { bed }: Pick<Trial, "bed">,
  since: Mark,
  atLeast = 0,
): Promise<readonly ProxyRecord[]> {
  await bed.proxy.awaitRecords({}, since, atLeast, within(10_000));
  for (let count = -1; count !== bed.proxy.since(since).length; ) {
    count = bed.proxy.since(since).length;
    await bed.settle();
  }
  return bed.proxy.since(since);
}
