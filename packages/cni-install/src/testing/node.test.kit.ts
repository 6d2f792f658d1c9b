import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@millrace/core/internal";
import type { InstallerOptions } from "../installer.ts";
import { installOnce } from "../installer.ts";
import type { InstallState } from "../state.ts";
import { type Uninstalled, uninstallCni } from "../uninstall.ts";
import { ENTRY } from "./entry.test.kit.ts";

/** The CNI directories of a node, with everything the installer needs, below one directory that goes in the end. */
export class TestNode implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "millrace-cni-"));
  readonly options: InstallerOptions;

  constructor(options: Partial<InstallerOptions> = {}) {
    for (const name of ["net.d", "bin", "image", "run"]) mkdirSync(join(this.directory, name));
    writeFileSync(join(this.directory, "image", "millrace"), "the plugin", { mode: 0o700 });
    this.options = {
      cniConfDir: join(this.directory, "net.d"),
      cniBinDir: join(this.directory, "bin"),
      pluginSource: join(this.directory, "image", "millrace"),
      journal: join(this.directory, "journal"),
      stateFile: join(this.directory, "run", "install.json"),
      ownConfig: false,
      entry: ENTRY,
      log: silentLogger,
      settleMs: 1,
      ...options,
    };
  }

  conf(name: string): string {
    return join(this.options.cniConfDir, name);
  }

  get plugin(): string {
    return join(this.options.cniBinDir, "millrace");
  }

  write(name: string, text: string | Uint8Array, mode = 0o644): void {
    writeFileSync(this.conf(name), text);
    chmodSync(this.conf(name), mode);
  }

  read(name: string): string {
    return readFileSync(this.conf(name), "utf8");
  }

  list(name: string): { plugins: { type: string }[] } & Record<string, unknown> {
    return JSON.parse(this.read(name)) as { plugins: { type: string }[] };
  }

  types(name: string): string[] {
    return this.list(name).plugins.map(({ type }) => type);
  }

  names(): string[] {
    return readdirSync(this.options.cniConfDir).sort();
  }

  /** Names, bytes, modes and owners of both directories of the runtime. */
  snapshot(): Record<string, string> {
    const { cniConfDir, cniBinDir } = this.options;
    const files = [cniConfDir, cniBinDir].flatMap((directory) =>
      readdirSync(directory).map((name) => join(directory, name)),
    );
    return Object.fromEntries(files.sort().map((path) => [path, describe(path)]));
  }

  install(options: Partial<InstallerOptions> = {}): Promise<InstallState> {
    return installOnce({ ...this.options, ...options }, new AbortController().signal);
  }

  uninstall(): Uninstalled {
    return uninstallCni(this.options);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

function describe(path: string): string {
  const { mode, uid, gid } = statSync(path);
  return `${mode.toString(8)} ${uid}:${gid} ${readFileSync(path, "latin1")}`;
}

export const LIST = `{
  "cniVersion": "1.0.0",
  "name": "net",
  "plugins": [
    {
      "type": "bridge",
      "mtu": 1.5e3
    }
  ]
}
`;
export const SINGLE = '{ "cniVersion": "0.3.1", "name": "net", "type": "bridge", "mtu": 1.5e3 }\n';
