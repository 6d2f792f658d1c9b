import { type DestinationStream, type Logger, pino } from "pino";
import { describeError } from "./describe-error.ts";
import { standardOutput } from "./standard-output.ts";
import { textLine } from "./text-line.ts";

export type { Logger } from "pino";

export interface LoggerOptions {
  readonly format: "json" | "text";
  readonly level: string;
  /** Adds the stack of errors; without it a log says code and message only. */
  readonly stacks?: boolean;
  /** Where lines go, default standard output. */
  readonly output?: DestinationStream;
}

function serializeError(error: unknown, stacks: boolean): object {
  return { ...describeError(error), ...(stacks && error instanceof Error && { stack: error.stack }) };
}

/** Turns pino's JSON lines into text. No transport: a log line written before a crash must not be waiting in a worker thread. */
function textOutput(output: DestinationStream): DestinationStream {
  return { write: (line) => output.write(textLine(JSON.parse(line) as Record<string, unknown>)) };
}

/** The root logger of the agent. Every part gets a child of it that carries its name as `component`. */
export function createLogger(options: LoggerOptions): Logger {
  const output = options.output ?? standardOutput((lines) => log.error({ lines }, "log lines lost: there was no room"));
  const log: Logger = pino(
    {
      level: options.level,
      base: null,
      serializers: { err: (error: unknown) => serializeError(error, options.stacks === true) },
      ...(options.format === "json" && {
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
        formatters: { level: (label: string) => ({ level: label }) },
      }),
    },
    options.format === "text" ? textOutput(output) : output,
  );
  return log;
}
