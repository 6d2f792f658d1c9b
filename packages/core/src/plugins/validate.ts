import { z } from "zod";
import { PLUGIN_API_VERSION, type Plugin } from "../backend/define-plugin.ts";
import { CoreError } from "../errors.ts";

/** What a value must have to be a plugin, each with what to do when it has not. */
const checks: readonly [holds: (plugin: Partial<Plugin>) => boolean, otherwise: string][] = [
  [
    ({ name }) => typeof name === "string" && /^[a-z0-9][a-z0-9-]*$/.test(name) && name !== "auto",
    "`name` must be lower-case letters, digits and dashes, and not `auto`",
  ],
  [
    ({ description }) => typeof description === "string" && description !== "",
    "`description` must say in a line what it is",
  ],
  [
    ({ config }) => config instanceof z.ZodType,
    "`config` must be a zod 4 schema; `z.strictObject({})` when there is nothing to set",
  ],
  [
    ({ claims }) => claims === undefined || (Array.isArray(claims) && claims.every((id) => typeof id === "string")),
    "`claims` must be the ids of behaviours, as `outbound-tcp`; leave it out to claim all of them",
  ],
  [({ create }) => typeof create === "function", "`create` must be a function that returns a RedirectionBackend"],
];

/** Makes sure that `value` is a plugin of this core's version. `source` is named in messages. Throws ERR_PLUGIN_INVALID. */
export function validatePlugin(value: unknown, source: string): Plugin {
  if (typeof value !== "object" || value === null) {
    throw invalid(source, "its default export must be the value that definePlugin({ … }) returns");
  }
  const plugin = value as Partial<Plugin>;
  if (plugin.apiVersion !== PLUGIN_API_VERSION) {
    const version = JSON.stringify(plugin.apiVersion) ?? "none";
    throw invalid(
      source,
      `its apiVersion is ${version}, this version of Millrace speaks ${PLUGIN_API_VERSION}. ` +
        (Number(plugin.apiVersion) > PLUGIN_API_VERSION ? "Upgrade Millrace" : "Upgrade the plugin"),
    );
  }
  const problems = checks.filter(([holds]) => !holds(plugin)).map(([, otherwise]) => otherwise);
  if (problems.length > 0) throw invalid(source, problems.join("; "));
  return plugin as Plugin;
}

function invalid(source: string, what: string): CoreError {
  return new CoreError("ERR_PLUGIN_INVALID", `${source} is not a plugin: ${what}.`);
}
