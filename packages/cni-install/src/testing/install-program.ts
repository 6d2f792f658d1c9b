import { silentLogger } from "@millrace/core/internal";
import { installOnce } from "../installer.ts";
import { lockInstaller } from "../installer-lock.ts";
import { uninstallCni } from "../uninstall.ts";

/** Installs or uninstalls in a process of its own, which a test kills: `install-program.ts install|uninstall OPTIONS`, as JSON. */
const [verb, json = ""] = process.argv.slice(2);
const options = { ...JSON.parse(json), log: silentLogger };
using _lock = lockInstaller(`${options.stateFile}.lock`);
const result = verb === "install" ? await installOnce(options, new AbortController().signal) : uninstallCni(options);
process.stdout.write(JSON.stringify(result));
