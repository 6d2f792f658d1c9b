import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { VmError } from "../errors.ts";
import { type AptSource, parseDeb822, parseOneLine, renderDeb822 } from "./apt-sources.ts";
import { KERNEL_LINES, type KernelLine, sourcesFor } from "./archive.ts";

/** Debian's kernel for virtual machines: a third of the size of the usual one, with all that the tests need. */
const META_PACKAGE = "linux-image-cloud-amd64";

export interface KernelOptions {
  /** Where downloads are kept: `<cache>/kernels`. */
  readonly cache: string;
  /** Ask the archive even if a kernel of that line is there already. */
  readonly refresh?: boolean;
  /** Folder of apt's configuration; default `/etc/apt`. */
  readonly aptDirectory?: string;
  readonly onProgress?: (message: string) => void;
}

/**
 * The folder of an unpacked Debian kernel of this line, downloaded from the archive that this machine's own apt sources name
 * if it is not there yet. Nothing is installed and the machine's apt is not changed: apt is given lists, a cache and sources
 * of its own. Throws ERR_VM_SETUP, ERR_VM_APT and ERR_VM_KERNEL_GONE.
 */
export function fetchKernel(line: KernelLine, options: KernelOptions): string {
  const directory = join(options.cache, "kernels");
  const link = join(directory, line);
  if (options.refresh !== true && existsSync(link)) return link;
  mkdirSync(directory, { recursive: true });
  const apt = new PrivateApt(join(directory, "apt", line), sourcesFor(line, readSources(options.aptDirectory)), line);
  options.onProgress?.(`looking for Linux ${line} in the archive`);
  apt.update();
  const name = apt.kernelPackage();
  const unpacked = join(directory, name);
  if (!existsSync(unpacked)) {
    options.onProgress?.(`downloading ${name}`);
    unpack(apt.download(name), unpacked);
  }
  replaceLink(link, name);
  return link;
}

/** Every entry of this machine's apt sources, whichever format its files have. */
function readSources(directory = "/etc/apt"): AptSource[] {
  const parts = join(directory, "sources.list.d");
  const files = [
    join(directory, "sources.list"),
    ...(existsSync(parts) ? readdirSync(parts).sort() : []).map((name) => join(parts, name)),
  ];
  return files.flatMap((file) => {
    if (file.endsWith(".sources")) return parseDeb822(readFileSync(file, "utf8"));
    return file.endsWith(".list") && existsSync(file) ? parseOneLine(readFileSync(file, "utf8")) : [];
  });
}

/** apt with a state of its own in one folder. Keys, credentials and proxies remain the machine's. */
class PrivateApt {
  readonly #directory: string;
  readonly #line: KernelLine;
  readonly #options: readonly string[];

  constructor(directory: string, sources: readonly AptSource[], line: KernelLine) {
    if (sources.length === 0) {
      throw new VmError(
        "ERR_VM_SETUP",
        "this machine's apt sources name no Debian archive, so there is nowhere to get Debian's kernels from. " +
          "Add one to /etc/apt/sources.list.d, or test only on the machine's own kernel (KERNELS=host).",
      );
    }
    this.#directory = directory;
    this.#line = line;
    mkdirSync(join(directory, "lists", "partial"), { recursive: true });
    mkdirSync(join(directory, "cache", "archives", "partial"), { recursive: true });
    writeFileSync(join(directory, "status"), "");
    writeFileSync(join(directory, "debian.sources"), sources.map(renderDeb822).join("\n"));
    this.#options = [
      `Dir::Etc::SourceList=${join(directory, "debian.sources")}`,
      "Dir::Etc::SourceParts=/dev/null",
      "Dir::Etc::Preferences=/dev/null",
      "Dir::Etc::PreferencesParts=/dev/null",
      `Dir::State::Lists=${join(directory, "lists")}`,
      `Dir::State::Status=${join(directory, "status")}`,
      `Dir::Cache=${join(directory, "cache")}`,
      "APT::Architecture=amd64",
      "APT::Architectures=amd64",
      // The unprivileged user that apt downloads as may not reach a cache in somebody's home.
      "APT::Sandbox::User=root",
      // A release that is no longer changed is no longer signed anew either.
      "Acquire::Check-Valid-Until=false",
      "Acquire::Languages=none",
      "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
      "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false",
    ].flatMap((option) => ["-o", option]);
  }

  update(): void {
    this.#run("apt-get", ["-o", "APT::Update::Error-Mode=any", "update"]);
  }

  /** The package the newest meta package of the line depends on. */
  kernelPackage(): string {
    const versions = this.#run("apt-cache", ["madison", META_PACKAGE])
      .split("\n")
      .map((row) => row.split("|")[1]?.trim() ?? "")
      .filter((version) => version.startsWith(`${this.#line}.`));
    // apt lists the newest first.
    const [version] = versions;
    const shown = version === undefined ? "" : this.#run("apt-cache", ["show", `${META_PACKAGE}=${version}`]);
    const name = /^Depends:.*?\b(linux-image-\d[^\s,(]*)/m.exec(shown)?.[1];
    if (name === undefined) throw this.#gone(META_PACKAGE);
    return name;
  }

  /** Downloads a package and returns its file. */
  download(name: string): string {
    const archives = join(this.#directory, "cache", "archives");
    for (const old of readdirSync(archives)) rmSync(join(archives, old), { recursive: true });
    const known = this.#run("apt-cache", ["madison", name]);
    if (known.trim() === "") throw this.#gone(name);
    try {
      this.#run("apt-get", ["download", name], archives);
    } catch (error) {
      // The index still names it, the archive has it no longer.
      if (error instanceof VmError && /\b404\b|File not found/.test(error.message)) throw this.#gone(name, error);
      throw error;
    }
    const file = readdirSync(archives).find((entry) => entry.endsWith(".deb"));
    if (file === undefined) throw new VmError("ERR_VM_APT", `apt-get download ${name} left no package in ${archives}`);
    return join(archives, file);
  }

  #gone(name: string, cause?: Error): VmError {
    return new VmError(
      "ERR_VM_KERNEL_GONE",
      `${name} for Linux ${this.#line} (Debian ${KERNEL_LINES[this.#line]}) has vanished from the mirror that this machine's ` +
        `apt sources name. Its sources with that release are in ${join(this.#directory, "debian.sources")}.`,
      cause === undefined ? {} : { cause },
    );
  }

  #run(command: string, args: readonly string[], cwd?: string): string {
    return checked(command, [...this.#options, ...args], cwd);
  }
}

/** Unpacks a kernel; complete or not at all. Compressed modules are expanded here: in an emulated guest that is slow. */
function unpack(file: string, target: string): void {
  const partial = `${target}.partial`;
  rmSync(partial, { recursive: true, force: true });
  checked("dpkg", ["-x", file, partial]);
  checked("sh", ["-c", `find "$1" -name '*.ko.xz' -exec xz -d {} +`, "sh", partial]);
  const base = existsSync(join(partial, "usr", "lib", "modules")) ? join(partial, "usr") : partial;
  for (const release of readdirSync(join(base, "lib", "modules"))) checked("depmod", ["-b", base, release]);
  rmSync(file);
  renameSync(partial, target);
}

function replaceLink(link: string, target: string): void {
  rmSync(`${link}.new`, { force: true });
  symlinkSync(target, `${link}.new`);
  renameSync(`${link}.new`, link);
}

function checked(command: string, args: readonly string[], cwd?: string): string {
  try {
    return execFileSync(command, args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 64 << 20,
      ...(cwd === undefined ? {} : { cwd }),
    });
  } catch (error) {
    const { code, stderr = "" } = error as { code?: string; stderr?: string };
    if (code === "ENOENT") {
      throw new VmError("ERR_VM_SETUP", `${command} is missing; run make setup`, { cause: error });
    }
    const shown = args.filter((arg, at) => arg !== "-o" && args[at - 1] !== "-o").join(" ");
    throw new VmError("ERR_VM_APT", `${command} ${shown} failed`, { cause: error, details: stderr });
  }
}
