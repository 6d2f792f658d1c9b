import { z } from "zod";
import { configurationSchema, pathSchema } from "./schema.ts";

/** `text` and `path` settings are taken as they stand; `list` is `a,b`; `labels` is `key=value,key=value`. */
export type SettingKind = "text" | "path" | "number" | "boolean" | "list" | "labels";

/** One leaf of the configuration, and its names at the three places it can be set. */
export interface Setting {
  /** In the file, and in messages: `eventLog.path`. */
  readonly path: string;
  /** `MILLRACE_EVENT_LOG_PATH` */
  readonly variable: string;
  /** `--event-log-path` */
  readonly flag: string;
  readonly kind: SettingKind;
  readonly description: string;
}

/** Every setting that has a name in the environment and on the command line; derived from the schema, in its order. */
export const settings: readonly Setting[] = [...leaves(configurationSchema, [])];

function* leaves(schema: z.ZodType, path: readonly string[]): Iterable<Setting> {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) {
    for (const [key, member] of Object.entries(inner.shape)) yield* leaves(member as z.ZodType, [...path, key]);
    return;
  }
  const kind = kindOf(inner);
  if (kind === undefined) return;
  const words = path.flatMap((key) => key.split(/(?=[A-Z])/)).map((word) => word.toLowerCase());
  yield {
    path: path.join("."),
    variable: `MILLRACE_${words.join("_").toUpperCase()}`,
    flag: `--${words.join("-")}`,
    kind,
    description: schema.description ?? "",
  };
}

function unwrap(schema: z.ZodType): z.ZodType {
  const wrapped = schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional;
  return wrapped ? unwrap(schema.unwrap() as z.ZodType) : schema;
}

/** Undefined for what one string cannot say: a plugin's own configuration is set in the file only. */
function kindOf(schema: z.ZodType): SettingKind | undefined {
  if (schema === pathSchema) return "path";
  if (schema instanceof z.ZodString || schema instanceof z.ZodEnum) return "text";
  if (schema instanceof z.ZodNumber) return "number";
  if (schema instanceof z.ZodBoolean) return "boolean";
  if (schema instanceof z.ZodArray) return "list";
  if (schema instanceof z.ZodRecord) return schema.valueType instanceof z.ZodString ? "labels" : undefined;
  throw new TypeError(`configuration: a setting of type ${schema.type} has no form as text`);
}
