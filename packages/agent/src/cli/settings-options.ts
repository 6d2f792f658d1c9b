import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  CONFIG_VARIABLE,
  type Configuration,
  loadConfiguration,
  parseConfiguration,
  type Setting,
  settings,
} from "@millrace/core/internal";
import { type Command, Option } from "commander";
import type { Io } from "./output.ts";

const DEFAULT_FILE = "/etc/millrace/config.yaml";

/** Where the value of a flag comes from, when it is not given in full. */
const PLACEHOLDERS = {
  text: "<value>",
  path: "<path>",
  number: "<number>",
  boolean: "<true|false>",
  list: "<a,b>",
  labels: "<key=value,…>",
} as const satisfies Record<Setting["kind"], string>;

const defaults: unknown = parseConfiguration({});

/** The default as one would write it for the flag; nothing for an empty one, or one that the description has in words. */
function defaultText({ path, description }: Setting): string {
  const value = path.split(".").reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], defaults);
  const text =
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.entries(value).map((pair) => pair.join("="))
      : value;
  return description.includes("default:") || String(text) === "" ? "" : ` (default: ${String(text)})`;
}

const optionFor = (setting: Setting) => {
  const description = `${setting.description}${defaultText(setting)}`;
  return new Option(`${setting.flag} ${PLACEHOLDERS[setting.kind]}`, description).helpGroup("Settings:");
};

/**
 * Lets settings be given as flags, with `--config` for the file below them.
 *
 * @param paths the settings that the command uses, for instance `sockets.admin`; all of them when absent.
 */
export function addSettings(command: Command, paths?: readonly string[]): Command {
  command.addOption(
    new Option(
      "-c, --config <file>",
      `configuration file (default: ${DEFAULT_FILE} if it exists; $${CONFIG_VARIABLE})`,
    ),
  );
  for (const setting of settings) {
    if (paths === undefined || paths.includes(setting.path)) command.addOption(optionFor(setting));
  }
  return command;
}

/** The configuration, and where it comes from. */
export interface Setup {
  readonly configuration: Configuration;
  /** Where names of plugins are looked up from: the directory of the configuration file, else the working directory. */
  readonly directory: string;
  /** Reads it again, as it is by then; throws as {@link setupOf}. */
  reload(): Setup;
}

/** Reads the configuration as the command's flags and the environment have it. Throws ERR_CONFIG_INVALID, ERR_CONFIG_UNREADABLE. */
export function setupOf(command: Command, io: Io): Setup {
  const given = command.opts<Record<string, string | undefined>>();
  const flags: Record<string, string> = {};
  for (const setting of settings) {
    const value = given[optionFor(setting).attributeName()];
    // A path that is typed is meant from here, as with any command; in files and variables nobody knows from where.
    if (value !== undefined) flags[setting.path] = setting.kind === "path" && value !== "" ? resolve(value) : value;
  }
  const variable = io.env[CONFIG_VARIABLE];
  const named = given.config ?? (variable === "" ? undefined : variable);
  const file = named ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  return {
    configuration: loadConfiguration({ file, environment: io.env, flags }),
    directory: file === undefined ? process.cwd() : dirname(resolve(file)),
    reload: () => setupOf(command, io),
  };
}
