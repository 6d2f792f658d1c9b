import { z } from "zod";
import { CoreError, errorMessage } from "../errors.ts";
import { canonicalJson } from "../events/canonical-json.ts";
import { count, text } from "../events/fields.ts";
import { LOG_SCHEMA_VERSION } from "../events/upgrade.ts";

/** The first line of a portable log; one line for each event follows. */
const header = z.strictObject({
  /** What the file is; also what tells this line from an event. */
  millrace: z.literal("event log"),
  /** Version of the events' data. */
  schema: z.int().positive(),
  /** Absent where no agent has started yet. */
  node: z.exactOptional(text),
  /** `seq` of the first and of the last event: a file that ends before it was cut off. 0 and 0 where there is none. */
  first: count,
  last: count,
  /** Names and addresses are not those of the node. */
  redacted: z.boolean(),
});
export type PortableHeader = z.output<typeof header>;

/** Without a line feed. */
export function formatHeader(fields: Omit<PortableHeader, "millrace" | "schema">): string {
  return canonicalJson({ millrace: "event log", schema: LOG_SCHEMA_VERSION, ...fields });
}

/** Undefined when the line is none, but an event. Throws ERR_LOG_NEWER_SCHEMA, ERR_LOG_UNREADABLE. */
export function parseHeader(line: string, path: string): PortableHeader | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new CoreError(
      "ERR_LOG_UNREADABLE",
      `${path} is no event log: its first line is not JSON (${errorMessage(cause)})`,
      {
        cause,
      },
    );
  }
  if (typeof value !== "object" || value === null || !("millrace" in value)) return undefined;
  const { schema } = value as { schema?: unknown };
  if (typeof schema === "number" && schema > LOG_SCHEMA_VERSION) {
    throw new CoreError(
      "ERR_LOG_NEWER_SCHEMA",
      `${path} has schema version ${schema}, this version of Millrace knows ${LOG_SCHEMA_VERSION}. Use the version that wrote it.`,
    );
  }
  const result = header.safeParse(value);
  if (result.success) return result.data;
  throw new CoreError("ERR_LOG_UNREADABLE", `${path} is no event log: ${z.prettifyError(result.error)}`, {
    cause: result.error,
  });
}
