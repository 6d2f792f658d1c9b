import { z } from "zod";
import { parseObject } from "./parse.ts";
import { type ByteText, toBytes } from "./text.ts";

/** What a runtime finds in a file of the CNI directory. */
export interface Network {
  /** A list of plugins (`.conflist`), or a single one as every file was before lists (`.conf`, `.json`). */
  readonly kind: "list" | "single";
  readonly name: string;
  /** Versions of the specification that a runtime may run it by; empty when it names none. */
  readonly versions: readonly string[];
  /** `type` of each plugin, in the order of the chain. */
  readonly types: readonly string[];
}

/** A runtime would not take this file; why. */
export interface Invalid {
  readonly invalid: string;
}

/** containerd refuses a larger file (containerd/go-cni opts.go, MaxFileSize). */
export const MAX_CONFIG_BYTES = 2 * 1024 * 1024;

// Go's decoder takes null for any type, as if the key were not there.
const text = z.string().nullish();
const flag = z.union([z.boolean(), z.string().regex(/^(true|false)$/i)]).optional();

/** libcni's types.PluginConf: what is decoded, and fails the file when it has another type. */
const plugin = z.looseObject({
  type: z.string().min(1),
  name: text,
  cniVersion: text,
  capabilities: z.record(z.string(), z.boolean()).nullish(),
  ipam: z.looseObject({ type: text }).nullish(),
});

/** libcni/conf.go, NetworkConfFromBytes(). */
const list = z.looseObject({
  name: z.string(),
  cniVersion: z.string().optional(),
  cniVersions: z.array(z.string()).optional(),
  disableCheck: flag,
  disableGC: flag,
  loadOnlyInlinedPlugins: flag,
  plugins: z.array(plugin).min(1).optional(),
});

/**
 * Reads a file as libcni does for the kubelet's successors: containerd (containerd/go-cni opts.go, loadFromConfDir()), CRI-O (ocicni) and
 * cri-dockerd: `.conflist` as a list, everything else as a single plugin. Keys of a plugin that differ in case only are the same to Go.
 */
export function readNetwork(fileName: string, content: ByteText): Network | Invalid {
  if (content.length > MAX_CONFIG_BYTES) return { invalid: `it is larger than ${MAX_CONFIG_BYTES} bytes` };
  let value: unknown;
  try {
    value = JSON.parse(toBytes(content).toString("utf8"), refuseInfinity);
    parseObject(content); // what nests too deeply for it nests too deeply for Go's parser too, or nearly
  } catch (error) {
    return { invalid: `it is no JSON: ${(error as Error).message}` };
  }
  return fileName.endsWith(".conflist") ? readList(value) : readSingle(value);
}

/** Go's float64 takes no number that is too large for it; JSON.parse makes it infinite. */
function refuseInfinity(key: string, value: unknown): unknown {
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) {
    throw new SyntaxError(`the number at ${JSON.stringify(key)} is too large`);
  }
  return value;
}

function readList(value: unknown): Network | Invalid {
  const inner = (value as { plugins?: unknown } | null)?.plugins;
  const parsed = list.safeParse(Array.isArray(inner) ? { ...(value as object), plugins: inner.map(goKeys) } : value);
  if (!parsed.success) return { invalid: firstIssue(parsed.error) };
  const { name, cniVersion, cniVersions = [], plugins = [] } = parsed.data;
  const versions = [...cniVersions, ...(cniVersion ? [cniVersion] : [])];
  return { kind: "list", name, versions, types: plugins.map(({ type }) => type) };
}

function readSingle(value: unknown): Network | Invalid {
  const parsed = plugin.safeParse(goKeys(value));
  if (!parsed.success) return { invalid: firstIssue(parsed.error) };
  const { name, cniVersion, type } = parsed.data;
  return { kind: "single", name: name ?? "", versions: cniVersion ? [cniVersion] : [], types: [type] };
}

const KNOWN = new Map(Object.keys(plugin.shape).map((key) => [key.toLowerCase(), key]));

/** encoding/json fills a struct's field by any spelling of its name. */
function goKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [KNOWN.get(key.toLowerCase()) ?? key, inner]));
}

function firstIssue({ issues }: z.ZodError): string {
  const [issue] = issues;
  return `${issue?.path.join(".") || "the file"}: ${issue?.message ?? "not as expected"}`;
}
