import { z } from "zod";
import { CoreError } from "../errors.ts";
import { type EventInput, type EventRecord, eventSchemas, isEventType } from "./event.ts";
import { count } from "./fields.ts";

const envelope = z.strictObject({ type: z.string(), subject: z.string().min(1), data: z.unknown() });
const row = envelope.extend({ seq: count.positive(), time: z.iso.datetime() });

/** Checks what a watcher hands in. Throws ERR_EVENT_INVALID with the field that is wrong. */
export function parseInput(value: unknown): EventInput {
  return checked(envelope, value) as EventInput;
}

/** Checks one row of the log or one line of `millrace log --jsonl`. Throws ERR_EVENT_INVALID. */
export function parseRecord(value: unknown): EventRecord {
  return checked(row, value) as EventRecord;
}

function checked(schema: z.ZodType<{ type: string; data: unknown }>, value: unknown) {
  const event = parseWith(schema, value, "event");
  if (!isEventType(event.type)) {
    throw new CoreError("ERR_EVENT_INVALID", `unknown event type ${JSON.stringify(event.type)}`);
  }
  return { ...event, data: parseWith(eventSchemas[event.type] as z.ZodType, event.data, event.type) };
}

function parseWith<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new CoreError("ERR_EVENT_INVALID", `${what}: ${z.prettifyError(result.error)}`, { cause: result.error });
}
