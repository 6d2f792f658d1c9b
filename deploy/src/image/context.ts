import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { arch } from "node:os";
import { dirname, join } from "node:path";
import { DEPLOY, ROOT } from "../chart/places.ts";
import { writeBundles } from "./bundle.ts";
import { notices } from "./licences.ts";

/** Where the checkout's files lie in the image. */
const PLACE = "/opt/millrace";

/** What runs: the command, the thread that it starts, and the process of a plugin. */
const PROGRAMS = [
  "packages/agent/dist/main.js",
  "packages/core/dist/log/writer-thread.js",
  "packages/core/dist/plugins/process/child.js",
];

/** What they open, where they look for it. */
const FILES = [
  "packages/agent/package.json",
  "packages/libbpf-ts/build/bpf.node",
  "packages/linux-ts/build/linux.node",
  "packages/plugin-ebpf/objects/node.bpf.o",
  "packages/plugin-ebpf/objects/proxy.bpf.o",
  "packages/plugin-ebpf/objects/shadow.bpf.o",
];

/** The CNI plugin, where `install.pluginSource` looks for it by default. */
const PLUGIN = { source: "cni/build/millrace", target: "usr/lib/millrace/cni/millrace" };

/** Licences of what is in the image; Debian's packages bring their own. */
const LICENCES: Readonly<Record<string, string>> = {
  LICENSE: "LICENSE",
  "bpf/COPYING": "bpf/COPYING",
  "bpf/LICENSE.BSD-2-Clause": "bpf/LICENSE.BSD-2-Clause",
  "bpf/LICENSE.GPL-2.0": "bpf/LICENSE.GPL-2.0",
};

const PROGRAMS_OF_THE_IMAGE: Readonly<Record<string, string>> = {
  "entrypoint.sh": "millrace-entrypoint",
  "millrace.sh": "millrace",
};

/** Puts the context of the Dockerfile together out of what `make build` has built. */
export async function writeContext(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  const root = join(directory, "root");
  const modules = await writeBundles({ root: ROOT, entries: PROGRAMS, directory: join(root, PLACE), runsAt: PLACE });
  for (const file of FILES) copy(built(file), join(root, PLACE, file));
  copy(built(PLUGIN.source), join(root, PLUGIN.target));
  for (const [file, name] of Object.entries(LICENCES)) copy(join(ROOT, file), join(documentation(root), name));
  writeFileSync(join(documentation(root), "THIRD-PARTY-NOTICES"), notices(modules));

  const node = join(ROOT, "node_modules", `node-linux-${arch() === "arm64" ? "arm64" : "x64"}`);
  const binary = join(root, "usr/local/bin/node");
  copy(join(node, "bin/node"), binary);
  execFileSync("strip", [binary]); // 17 MiB of symbols
  copy(join(node, "LICENSE"), join(documentation(root), "node/LICENSE"));

  for (const [file, name] of Object.entries(PROGRAMS_OF_THE_IMAGE)) {
    const target = join(root, "usr/local/bin", name);
    copy(join(DEPLOY, "image", file), target);
    chmodSync(target, 0o755);
  }
  for (const file of ["Dockerfile", "packages.sh"]) cpSync(join(DEPLOY, "image", file), join(directory, file));
}

function documentation(root: string): string {
  return join(root, "usr/share/doc/millrace");
}

function built(file: string): string {
  const path = join(ROOT, file);
  if (existsSync(path)) return path;
  throw new Error(`${path} is not there: build it with \`make build\``);
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}
