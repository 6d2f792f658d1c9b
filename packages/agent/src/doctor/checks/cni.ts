import { type CniView, type InstallState, readInstallState, viewCni } from "@millrace/cni-install";
import type { Check, Finding, HostPlaces } from "../check.ts";

const LATE = "pods start without waiting for their redirection, which follows as soon as the agent finds them";
const name = "CNI";

/** Whether the runtime executes our plugin for each pod, and what stands in the way. `said`: by the installer, if one has run. */
export function cniFindings(view: CniView, said: InstallState | undefined, places: HostPlaces): readonly Finding[] {
  const warnings = view.warnings.map(({ message }): Finding => ({ name, state: "warn", detail: message }));
  return [{ name, ...verdict(view, said, places) }, ...warnings];
}

function verdict(
  { used, hasEntry, hasPlugin }: CniView,
  said: InstallState | undefined,
  { cniConfDir, cniBinDir }: HostPlaces,
): Omit<Finding, "name"> {
  if (hasEntry && hasPlugin)
    return { state: "good", detail: `${cniConfDir}/${used} has our entry, the plugin is in ${cniBinDir}` };
  if (hasEntry) {
    const remedy = "no pod can start. Run `millrace install`, or `millrace uninstall` to take the entry out";
    return {
      state: "bad",
      detail: `${cniConfDir}/${used} has our entry, but the plugin is not in ${cniBinDir}: ${remedy}`,
    };
  }
  if (said !== undefined && said.state !== "installed" && said.state !== "waiting") {
    return { state: "bad", detail: `not installed (${said.state} since ${said.since}): ${said.detail}` };
  }
  if (used === undefined) return { state: "note", detail: `no network configuration in ${cniConfDir} yet` };
  if (said?.state === "installed") {
    const detail = `our entry was put into the network configuration and is not in ${cniConfDir}/${used} any more: does \`millrace install --watch\` run? Until then ${LATE}`;
    return { state: "warn", detail };
  }
  return {
    state: "note",
    detail: `our entry is not in ${cniConfDir}/${used}: ${LATE}. \`millrace install\` puts it there`,
  };
}

export const cni: Check = (places) => cniFindings(viewCni(places), readInstallState(places.installState), places);
