import type { EventInput } from "@millrace/core/internal";
import type { WatcherLog } from "../log.ts";
import type { Sink } from "../watcher.ts";

/** What a sink was told, and a way to wait for it. */
export class Recorder {
  readonly events: EventInput[] = [];
  readonly sink: Sink = (input) => void this.events.push(input);

  types(): string[] {
    return this.events.map(({ type }) => type);
  }

  of<Type extends EventInput["type"]>(type: Type): EventInput<Type>["data"][] {
    return this.events.filter((event) => event.type === type).map(({ data }) => data as EventInput<Type>["data"]);
  }
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** A logger that keeps its lines. */
export function recordingLog(): { readonly log: WatcherLog; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (level: LogLine["level"]) => (fields: object, message: string) =>
    void lines.push({ level, fields: fields as Record<string, unknown>, message });
  return { lines, log: { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") } };
}
