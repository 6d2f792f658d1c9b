import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeContext } from "../image/context.ts";

/**
 * What the base is made of: a shell and its tools, and the packages that the Dockerfile would install where there is an apt. Extracted,
 * not installed, so that no maintainer script runs and nothing but these is in there.
 */
const PACKAGES = [
  ...["dash", "coreutils", "findutils", "grep", "base-files"],
  ...["iproute2", "nftables", "iptables", "ipset", "util-linux", "mount", "libbpf1", "libstdc++6"],
];

/** The image, built by the Dockerfile that is shipped, and its root file system. Nothing of it is left at the end. */
export class TestImage implements Disposable {
  readonly #directory: string;
  readonly root: string;

  private constructor(directory: string, root: string) {
    this.#directory = directory;
    this.root = root;
  }

  static async build(): Promise<TestImage> {
    const directory = mkdtempSync(join(tmpdir(), "millrace-image-"));
    try {
      const base = join(directory, "base.tar");
      // The addons were built with this machine's libraries, so the base is of the same release.
      run("mmdebstrap", "--quiet", "--variant=extract", `--include=${PACKAGES.join(",")}`, release(), base, sources());
      const container = buildah(directory, "from", "scratch");
      buildah(directory, "add", container, base);
      buildah(directory, "commit", "--quiet", "--rm", container, "localhost/millrace-base");
      rmSync(base);
      await writeContext(join(directory, "context"));
      const arguments_ = ["--build-arg", "BASE=localhost/millrace-base", "--tag", "localhost/millrace-test"];
      buildah(directory, "bud", "--isolation", "chroot", "--pull-never", ...arguments_, join(directory, "context"));
      const image = buildah(directory, "from", "--pull-never", "localhost/millrace-test");
      return new TestImage(directory, buildah(directory, "mount", image));
    } catch (error) {
      remove(directory);
      throw error;
    }
  }

  /** How the image is to be run, as Kubernetes will have it from the image. */
  config(): { readonly Entrypoint: readonly string[]; readonly Cmd: readonly string[] } {
    const inspected = JSON.parse(buildah(this.#directory, "inspect", "--type", "image", "localhost/millrace-test"));
    return inspected.OCIv1.config;
  }

  [Symbol.dispose](): void {
    remove(this.#directory);
  }
}

function remove(directory: string): void {
  if (existsSync(join(directory, "storage"))) {
    buildah(directory, "umount", "--all");
    buildah(directory, "rm", "--all");
  }
  rmSync(directory, { recursive: true, force: true });
}

/** With storage of its own: whoever runs the tests may have images. */
function buildah(directory: string, ...args: readonly string[]): string {
  return run("buildah", "--root", join(directory, "storage"), "--runroot", join(directory, "run"), ...args);
}

export function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}

function release(): string {
  const name = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  if (name === undefined)
    throw new Error("/etc/os-release names no VERSION_CODENAME: the image is tested on Debian and Ubuntu");
  return name;
}

/** Where this machine has its own packages from. */
function sources(): string {
  const files = ["debian.sources", "ubuntu.sources"].map((file) => join("/etc/apt/sources.list.d", file));
  return files.find((file) => existsSync(file)) ?? "/etc/apt/sources.list";
}
