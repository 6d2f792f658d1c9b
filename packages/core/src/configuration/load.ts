import type { z } from "zod";
import { CoreError } from "../errors.ts";
import { hint } from "./closest.ts";
import { fileLayer } from "./file-layer.ts";
import { environmentLayer, flagLayer, isLayer, type Layer, overlay } from "./layers.ts";
import { type Configuration, configurationSchema } from "./schema.ts";
import { settings } from "./settings.ts";

export interface ConfigurationSources {
  /** Path of a YAML file. A file that is named must be there. */
  readonly file?: string | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** By path of the setting: `{ redirectMode: "ebpf" }`. */
  readonly flags?: Readonly<Record<string, string>>;
}

/**
 * Reads the configuration: file < environment < flags, then defaults for what none of them set.
 * Throws ERR_CONFIG_UNREADABLE, or ERR_CONFIG_INVALID with every mistake, one per line: path, what is wrong, what was probably meant.
 */
export function loadConfiguration(sources: ConfigurationSources = {}): Configuration {
  const file = sources.file === undefined ? {} : fileLayer(sources.file);
  const environment = environmentLayer(sources.environment ?? {});
  const flags = flagLayer(sources.flags ?? {});
  return check(overlay(overlay(file, environment), flags), sources.file ?? "configuration", { environment, flags });
}

/** Checks a configuration that is already an object. `source` is named in messages. Throws ERR_CONFIG_INVALID. */
export function parseConfiguration(value: unknown, source = "configuration"): Configuration {
  return check(value, source);
}

/** The layers above the file, in which a mistake is told with the variable's or the flag's name. */
interface Above {
  readonly environment: Layer;
  readonly flags: Layer;
}

function check(value: unknown, source: string, above?: Above): Configuration {
  const result = configurationSchema.safeParse(value);
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap((issue) => {
    const origin = above === undefined ? "" : originOf(issue.path, above);
    return describe(issue, value).map((line) => line + origin);
  });
  throw new CoreError("ERR_CONFIG_INVALID", `${source}: ${lines.join("\n")}`, { cause: result.error });
}

/** ` (from MILLRACE_…)` or ` (from --…)` for a setting that did not come from the file; else nothing. */
function originOf(path: readonly PropertyKey[], { environment, flags }: Above): string {
  const setting = settings.find((one) => path.join(".") === one.path || path.join(".").startsWith(`${one.path}.`));
  if (setting === undefined) return "";
  const keys = setting.path.split(".");
  if (valueAt(flags, keys) !== undefined) return ` (from ${setting.flag})`;
  return valueAt(environment, keys) === undefined ? "" : ` (from ${setting.variable})`;
}

function describe(issue: z.core.$ZodIssue, root: unknown): string[] {
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(issue.path);
    return issue.keys.map((key) => `${path === "" ? key : `${path}.${key}`} is no setting.${hint(key, known)}`);
  }
  const given = JSON.stringify(valueAt(root, issue.path));
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    return [
      `${path} must be one of ${values.join(", ")}, but is ${given}.${hint(String(valueAt(root, issue.path)), values)}`,
    ];
  }
  return [`${path === "" ? "the configuration" : path}: ${issue.message} (is ${given})`];
}

function knownKeys(path: readonly PropertyKey[]): string[] {
  const complete: unknown = valueAt(configurationSchema.parse({}), path);
  return isLayer(complete) ? Object.keys(complete) : [];
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], root);
}
