import { configurationSchema } from "@millrace/core/internal";
import { z } from "zod";
import { MODES, PLUGIN_MODE, valuesSchema } from "./values.ts";

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** Settings of the agent that the chart makes itself, because a mount or a permission goes with them. */
export const SET_BY_THE_CHART = [
  "node",
  "redirectMode",
  "membership.excludeNamespaces",
  "manifests",
  "kubernetes.enabled",
  "kubernetes.kubeconfig",
  "kubernetes.daemonSet",
  "kubernetes.startupTaint",
  "http",
  "install",
  "sockets",
  "eventLog.path",
  "paths",
] as const;

/**
 * values.schema.json: the values of the chart, and in `config` the agent's own configuration, so that what the agent would refuse on
 * every node is refused before it gets there. Draft 7 is what every Helm since 3.0 understands.
 */
export function valuesJsonSchema(): JsonSchema {
  // Helm lays what is given over values.yaml before it looks, so nothing is missing but what somebody has set to null.
  const values = jsonSchema(valuesSchema);
  const config = jsonSchema(configurationSchema, { partial: true });
  delete config.$schema;
  for (const path of SET_BY_THE_CHART) remove(config, path.split("."));
  const properties = { ...values.properties, config };
  return { ...values, title: "Values of the chart millrace", properties, ...modes() };
}

/** Which values the two names of the mode may have: any plugin's name once `config.plugins` names some, else the built-in ones. */
function modes(): JsonSchema {
  const both = (mode: JsonSchema): JsonSchema => ({
    properties: {
      redirectMode: mode,
      cni: { properties: { ambient: { properties: { redirectMode: mode } } } },
    },
  });
  return {
    if: {
      properties: { config: { properties: { plugins: { type: "array", minItems: 1 } }, required: ["plugins"] } },
      required: ["config"],
    },
    // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
    then: both({ pattern: PLUGIN_MODE }),
    else: both({ enum: [...MODES] }),
  };
}

/** Defaults are left out: one of them is this machine's name. */
function jsonSchema(schema: z.ZodType, { partial = false } = {}): JsonSchema {
  return z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    override: ({ jsonSchema: part }) => {
      delete part.default;
      if (partial && part.type === "object") delete part.required;
    },
  });
}

/** Takes a property out. One that is not there is a mistake: the list above would forbid what the agent no longer has. */
function remove(schema: JsonSchema, [key = "", ...rest]: readonly string[]): void {
  const properties = schema.properties ?? {};
  const property = properties[key];
  if (property === undefined || typeof property === "boolean") throw new TypeError(`the agent has no setting ${key}`);
  if (rest.length === 0) delete properties[key];
  else remove(property, rest);
}
