import { errorCode, errorMessage } from "../errors.ts";

/** Anything a plugin threw, with the plugin's name and what it was doing. `code` is the original's, so that events tell it. */
export class PluginError extends Error {
  readonly plugin: string;
  readonly code: string;

  constructor(plugin: string, doing: string, cause: unknown) {
    super(`${plugin}: ${doing}: ${errorMessage(cause)}`, { cause });
    this.name = "PluginError";
    this.plugin = plugin;
    this.code = errorCode(cause);
  }
}
