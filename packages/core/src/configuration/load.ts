import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import type { z } from "zod";
import { CoreError, errorMessage } from "../errors.ts";
import { hint } from "./closest.ts";
import { environmentLayer, flagLayer, isLayer, type Layer, overlay } from "./layers.ts";
import { type Configuration, configurationSchema } from "./schema.ts";

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
  const merged = overlay(overlay(file, environmentLayer(sources.environment ?? {})), flagLayer(sources.flags ?? {}));
  return parseConfiguration(merged, sources.file);
}

/** Checks a configuration that is already an object. `source` is named in messages. Throws ERR_CONFIG_INVALID. */
export function parseConfiguration(value: unknown, source = "configuration"): Configuration {
  const result = configurationSchema.safeParse(value);
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap((issue) => describe(issue, value));
  throw new CoreError("ERR_CONFIG_INVALID", `${source}: ${lines.join("\n")}`, { cause: result.error });
}

function fileLayer(path: string): Layer {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (cause) {
    throw new CoreError("ERR_CONFIG_UNREADABLE", `${path}: ${errorMessage(cause)}`, { cause });
  }
  let value: unknown;
  try {
    value = parseYaml(content) ?? {};
  } catch (cause) {
    throw new CoreError("ERR_CONFIG_INVALID", `${path} is not YAML: ${errorMessage(cause)}`, { cause });
  }
  if (isLayer(value)) return value;
  throw new CoreError("ERR_CONFIG_INVALID", `${path} must be a mapping of settings at its top level.`);
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
