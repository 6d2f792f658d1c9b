// What the CNI directories hold, and of that ours
export {
  type CniDirectories,
  type CniFile,
  type CniFiles,
  type CniTraces,
  cniTraces,
  readCniFiles,
} from "./cni-files.ts";
// Installing, and keeping it so
export { PLUGIN_TYPE, type PluginEntry, pluginEntry } from "./entry.ts";
// Errors
export { INSTALL_ERRORS, InstallError, type InstallErrorCode } from "./errors.ts";
export { JOURNAL_NAME } from "./files/journal.ts";
export type { InstallPlaces } from "./install-pass.ts";
export { type InstallerOptions, installOnce, watchInstallation } from "./installer.ts";
export { lockInstaller } from "./installer-lock.ts";
// How things are
export { type InstallState, readInstallState } from "./state.ts";
// Taking it back
export { type Uninstalled, type UninstallPlaces, uninstallCni } from "./uninstall.ts";
export { type CniView, viewCni } from "./view.ts";
