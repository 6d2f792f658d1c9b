import type { Network } from "./read-network.ts";

/** Versions of the CNI specification that our plugin speaks. Lists before 0.3.0 hand no result from one plugin to the next. */
export const PLUGIN_VERSIONS: readonly string[] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/**
 * Why a network a runtime would use cannot take our entry; undefined when it can. A plugin that does not speak a list's version refuses
 * every pod (CNI SPEC, error code 1): better none of ours than none at all.
 */
export function unsuitable({ kind, types, versions }: Network): string | undefined {
  if (kind === "list" && types.length === 0) {
    return "its plugins are in a directory of their own (CNI 1.1, loadOnlyInlinedPlugins), where we cannot be last; write them into `plugins`";
  }
  if (versions.length === 0) return "it names no cniVersion, which means 0.1.0; give it 0.3.1 or later";
  const strange = versions.filter((version) => !PLUGIN_VERSIONS.includes(version));
  if (strange.length > 0) {
    return `it may be run by version ${strange.join(", ")} of the specification; our plugin speaks ${PLUGIN_VERSIONS.join(", ")}`;
  }
  return undefined;
}
