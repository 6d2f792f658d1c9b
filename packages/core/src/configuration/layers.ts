import { CoreError } from "../errors.ts";
import { hint } from "./closest.ts";
import { type Setting, settings } from "./settings.ts";

/** A partly filled configuration, as one source gives it, before it is checked. */
export type Layer = { [key: string]: unknown };

/**
 * What the kubelet puts into the environment of every pod for each Service of the namespace ("docker links"): a Service called
 * `millrace` or `millrace-x` gives `MILLRACE_SERVICE_HOST`, `MILLRACE_X_PORT_80_TCP_ADDR`, … They are not ours and no mistake.
 */
const SERVICE_LINK =
  /^MILLRACE_(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/** Variables of this repository's Makefile and tests. They set nothing of the agent, which is often run where they are set. */
const DEVELOPMENT: readonly string[] = ["MILLRACE_CACHE", "MILLRACE_HAPROXY", "MILLRACE_HELM", "MILLRACE_SEED"];

/** Reads `MILLRACE_*`. Throws ERR_CONFIG_INVALID for a variable that is no setting. */
export function environmentLayer(environment: Readonly<Record<string, string | undefined>>): Layer {
  const byVariable = new Map(settings.map((setting) => [setting.variable, setting]));
  const layer: Layer = {};
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith("MILLRACE_") || value === undefined || name === CONFIG_VARIABLE) continue;
    const setting = byVariable.get(name);
    if (setting !== undefined) {
      assign(layer, setting, fromText(setting, value, name));
    } else if (!SERVICE_LINK.test(name) && !DEVELOPMENT.includes(name)) {
      throw new CoreError("ERR_CONFIG_INVALID", `${name} is no setting.${hint(name, byVariable.keys())}`);
    }
  }
  return layer;
}

/** Names the configuration file itself; read by the command, no setting. */
export const CONFIG_VARIABLE = "MILLRACE_CONFIG";

/** Reads flags by the path of their setting: `{ "eventLog.path": "/tmp/x.db" }`. Throws ERR_CONFIG_INVALID. */
export function flagLayer(flags: Readonly<Record<string, string>>): Layer {
  const byPath = new Map(settings.map((setting) => [setting.path, setting]));
  const layer: Layer = {};
  for (const [path, value] of Object.entries(flags)) {
    const setting = byPath.get(path);
    if (setting === undefined) {
      throw new CoreError("ERR_CONFIG_INVALID", `${path} is no setting.${hint(path, byPath.keys())}`);
    }
    assign(layer, setting, fromText(setting, value, setting.flag));
  }
  return layer;
}

/** Lays the stronger over the weaker: objects member by member; lists and sets of labels are replaced whole. */
export function overlay(weak: Layer, strong: Layer, path = ""): Layer {
  const merged: Layer = { ...weak };
  for (const [key, value] of Object.entries(strong)) {
    const below = merged[key];
    const here = path === "" ? key : `${path}.${key}`;
    const whole = settings.some((setting) => setting.path === here);
    merged[key] = !whole && isLayer(below) && isLayer(value) ? overlay(below, value, here) : value;
  }
  return merged;
}

export function isLayer(value: unknown): value is Layer {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function assign(layer: Layer, setting: Setting, value: unknown): void {
  const keys = setting.path.split(".");
  let target = layer;
  for (const key of keys.slice(0, -1)) {
    target[key] ??= {};
    target = target[key] as Layer;
  }
  target[keys.at(-1) as string] = value;
}

function fromText(setting: Setting, value: string, source: string): unknown {
  switch (setting.kind) {
    case "text":
    case "path":
      return value;
    case "number":
      if (value.trim() !== "" && Number.isFinite(Number(value))) return Number(value);
      throw new CoreError("ERR_CONFIG_INVALID", `${source} must be a number, but is ${JSON.stringify(value)}.`);
    case "boolean":
      if (value === "true" || value === "false") return value === "true";
      throw new CoreError("ERR_CONFIG_INVALID", `${source} must be true or false, but is ${JSON.stringify(value)}.`);
    case "list":
      return items(value);
    case "labels":
      return Object.fromEntries(items(value).map((item) => label(item, source)));
  }
}

function items(value: string): string[] {
  return value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function label(item: string, source: string): [string, string] {
  const equals = item.indexOf("=");
  if (equals > 0) return [item.slice(0, equals), item.slice(equals + 1)];
  throw new CoreError(
    "ERR_CONFIG_INVALID",
    `${source} must be key=value[,key=value…], but has ${JSON.stringify(item)}.`,
  );
}
