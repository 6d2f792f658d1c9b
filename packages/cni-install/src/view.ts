import { existsSync } from "node:fs";
import { join } from "node:path";
import { PLUGIN_TYPE } from "./entry.ts";
import { isReadable, isValid, listNames, readConfigDirectory } from "./files/config-directory.ts";
import { hasEntry } from "./network/edit-list.ts";
import { defaultNetworkOf, isMultus, isPrimary, OWN_NAME } from "./primary.ts";
import { type Warning, warningsAbout } from "./warnings.ts";

/** What a runtime would find in the CNI directories now. */
export interface CniView {
  /** The file that it would use, or Multus for it; undefined when there is no valid one. */
  readonly used: string | undefined;
  /** That file names our plugin. */
  readonly hasEntry: boolean;
  /** The plugin is there to be executed. */
  readonly hasPlugin: boolean;
  readonly warnings: readonly Warning[];
}

/** Looks, and changes nothing: the truth, whatever an installer said last. Throws as the file system does. */
export function viewCni(places: { readonly cniConfDir: string; readonly cniBinDir: string }): CniView {
  const names = listNames(places.cniConfDir) ?? [];
  const candidates = readConfigDirectory(places.cniConfDir) ?? [];
  const first = candidates.filter(isReadable).find(({ found }) => isValid(found));
  const used = first && isPrimary(first) && isMultus(first) ? (defaultNetworkOf(first, candidates) ?? first) : first;
  return {
    used: used?.name,
    hasEntry: used !== undefined && hasEntry(used.text),
    hasPlugin: existsSync(join(places.cniBinDir, PLUGIN_TYPE)),
    warnings: warningsAbout(candidates, names, names.includes(OWN_NAME)),
  };
}
