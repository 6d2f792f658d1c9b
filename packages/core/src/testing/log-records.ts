import type { EventRecord } from "../events/event.ts";

/** A small row with this place in the log. */
export function hostAddressesRecord(seq: number): EventRecord<"host.addresses"> {
  const time = new Date(Date.UTC(2026, 0, 1) + seq).toISOString();
  return { seq, time, type: "host.addresses", subject: "node", data: { addresses: [`198.18.0.${seq % 250}`] } };
}

export function gapRecord(seq: number, count: number): EventRecord<"log.gap"> {
  return { seq, time: "2026-01-01T00:00:00.000Z", type: "log.gap", subject: "log", data: { count, reason: "test" } };
}
