import { z } from "zod";
import { parseObject } from "./parse.ts";
import { readPlugin } from "./read-plugin.ts";
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

/** pkg/version of libcni, ParseVersion(). */
const version = z.string().regex(/^\d+(\.\d+){0,2}$/, "must be a version");
const flag = z.union([z.boolean(), z.string().regex(/^(true|false)$/i)]).optional();

/** libcni/conf.go, NetworkConfFromBytes(). */
const list = z
  .looseObject({
    name: z.string(),
    cniVersion: z.string().optional(),
    cniVersions: z.array(version).optional(),
    disableCheck: flag,
    disableGC: flag,
    loadOnlyInlinedPlugins: flag,
    plugins: z.array(z.unknown()).min(1).optional(),
  })
  .refine(({ plugins, loadOnlyInlinedPlugins: only }) => plugins !== undefined || !/^true$/i.test(String(only)), {
    path: ["plugins"],
    message: "must be there with loadOnlyInlinedPlugins",
  });

/**
 * Reads a file as libcni does for the kubelet's successors: containerd (containerd/go-cni opts.go, loadFromConfDir()), CRI-O (ocicni) and
 * cri-dockerd: `.conflist` as a list, everything else as a single plugin.
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
  const parsed = list.safeParse(value);
  if (!parsed.success) return { invalid: firstIssue(parsed.error) };
  const { name, cniVersion, cniVersions = [], plugins = [] } = parsed.data;
  const types: string[] = [];
  for (const [index, plugin] of plugins.entries()) {
    const read = readPlugin(plugin);
    if ("invalid" in read) return { invalid: `plugins.${index}.${read.invalid}` };
    types.push(read.type);
  }
  const versions = [...cniVersions, ...(cniVersion ? [cniVersion] : [])];
  return { kind: "list", name, versions, types };
}

function readSingle(value: unknown): Network | Invalid {
  const read = readPlugin(value);
  if ("invalid" in read) return read;
  const { name, cniVersion, type } = read;
  return { kind: "single", name, versions: cniVersion === "" ? [] : [cniVersion], types: [type] };
}

function firstIssue({ issues }: z.ZodError): string {
  const [issue] = issues;
  return `${issue?.path.join(".") || "the file"}: ${issue?.message ?? "not as expected"}`;
}
