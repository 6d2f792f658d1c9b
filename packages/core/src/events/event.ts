import type { z } from "zod";
import { agentEvents } from "./agent-events.ts";
import { kernelEvents } from "./kernel-events.ts";
import { kubernetesEvents } from "./kubernetes-events.ts";
import { redirectionEvents } from "./redirection-events.ts";
import { snapshotEvents } from "./snapshot-event.ts";
import { switchEvents } from "./switch-events.ts";

/** One schema per event type; `data` of an event is exactly what its schema says, unknown keys are refused. */
export const eventSchemas = {
  ...agentEvents,
  ...kubernetesEvents,
  ...kernelEvents,
  ...redirectionEvents,
  ...snapshotEvents,
  ...switchEvents,
} as const;

export type EventType = keyof typeof eventSchemas;

/** `data` by event type. */
export type EventData = { readonly [Type in EventType]: Readonly<z.output<(typeof eventSchemas)[Type]>> };

type Of<Type extends EventType> = { readonly type: Type; readonly subject: string; readonly data: EventData[Type] };

/** What a watcher hands in: the agent gives it its time and its place in the log. `EventInput<"pod.observed">` narrows it. */
export type EventInput<Type extends EventType = EventType> = { [T in Type]: Of<T> }[Type];

/** A row of the event log. `seq` counts up by one; `time` is RFC 3339 in UTC with milliseconds. */
export type EventRecord<Type extends EventType = EventType> = {
  [T in Type]: { readonly seq: number; readonly time: string } & Of<T>;
}[Type];

/** Every event type, sorted. */
export const eventTypes: readonly EventType[] = (Object.keys(eventSchemas) as EventType[]).sort();

export function isEventType(type: string): type is EventType {
  return Object.hasOwn(eventSchemas, type);
}
