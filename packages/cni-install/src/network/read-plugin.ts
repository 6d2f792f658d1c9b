import { z } from "zod";

/** What libcni knows of one plugin's configuration. */
export interface PluginConf {
  readonly type: string;
  readonly name: string;
  readonly cniVersion: string;
}

// Go's decoder takes null for any type, as if the key were not there.
const text = z.string().nullish();
const texts = z.array(text).nullish();

/** Fields of libcni's types.PluginConf (pkg/types/types.go): one of another type fails the whole file; any other key may be anything. */
const FIELDS = {
  type: text,
  name: text,
  cniVersion: text,
  capabilities: z.record(z.string(), z.boolean().nullish()).nullish(),
  ipam: z.looseObject({ type: text }).nullish(),
  dns: z.looseObject({ nameservers: texts, domain: text, search: texts, options: texts }).nullish(),
  prevResult: z.looseObject({}).nullish(),
  "cni.dev/valid-attachments": z.array(z.looseObject({ containerID: text, ifname: text }).nullish()).nullish(),
} as const satisfies Record<string, z.ZodType>;

const BY_FOLDED_NAME = new Map(Object.keys(FIELDS).map((name) => [name.toLowerCase(), name as keyof typeof FIELDS]));

/**
 * Reads one plugin as Go's encoding/json fills that struct: a field by any spelling of its name that differs in case only, each of
 * them checked. The last one counts in the order of the bytes, since libcni has decoded and encoded the object once before.
 */
export function readPlugin(value: unknown): PluginConf | { readonly invalid: string } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { invalid: "it is no object" };
  const read = { type: "", name: "", cniVersion: "" };
  for (const [key, inner] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = BY_FOLDED_NAME.get(key.toLowerCase());
    if (name === undefined) continue;
    const parsed = FIELDS[name].safeParse(inner);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      return { invalid: `${[key, ...(issue?.path ?? [])].join(".")}: ${issue?.message ?? "not as expected"}` };
    }
    if (name in read && typeof parsed.data === "string") read[name as keyof typeof read] = parsed.data;
  }
  return read.type === "" ? { invalid: "type: must be there, and not empty" } : read;
}
