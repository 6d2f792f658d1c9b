import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { errorCode } from "@millrace/core";
import { attempt, EbpfError } from "./errors.ts";
import { LAYOUT_VERSION } from "./layout.ts";

/** BPF_FS_MAGIC, include/uapi/linux/magic.h. */
const BPF_FS_MAGIC = 0xcafe4a11;

/** A member's interface as the pins name it: `workloads/<uid>/<ifindex>/`. */
export interface WorkloadPin {
  readonly uid: string;
  readonly ifindex: number;
  readonly directory: string;
}

/**
 * Where our objects live in the BPF file system. It lives exactly as long as the kernel's own state, so it is also where objects get
 * their names: which workload an interface belongs to is a directory, which proxy a slot is for a symbolic link with JSON as its
 * target. Nothing about the data path has to be remembered on disk, and nothing of it can be stale after a reboot.
 *
 * ```
 * <bpffs>/millrace/v1/maps/<map>                            shared maps
 *                     programs/<program>                    programs of the node object
 *                     workloads/<uid>/<ifindex>/            enrolled interface; holds tcx links `ingress`, `egress`, or `own-qdisc`
 *                     proxies/<slot>/identity               who the slot is for
 *                     proxies/<slot>/{maps,programs,links}/ what belongs to that proxy alone
 * ```
 */
export class Pins {
  /** Directory above the layout versions. */
  readonly base: string;
  readonly root: string;
  readonly maps: string;
  readonly programs: string;

  constructor(bpffs: string, name: string) {
    this.base = join(bpffs, name);
    this.root = join(this.base, `v${LAYOUT_VERSION}`);
    this.maps = join(this.root, "maps");
    this.programs = join(this.root, "programs");
  }

  workload(uid: string, ifindex: number): string {
    return join(this.workloadParent(uid), String(ifindex));
  }

  workloadParent(uid: string): string {
    return join(this.root, "workloads", encodeName(uid));
  }

  /** All of them: as many readings of directories as there are members. */
  workloads(): WorkloadPin[] {
    return list(join(this.root, "workloads")).flatMap((name) => this.workloadsOf(decodeName(name)));
  }

  /** The interfaces of one; several while it changes from one to another. */
  workloadsOf(uid: string): WorkloadPin[] {
    const parent = this.workloadParent(uid);
    return list(parent).map((index) => ({ uid, ifindex: Number(index), directory: join(parent, index) }));
  }

  proxy(slot: number): string {
    return join(this.root, "proxies", String(slot));
  }

  /** Slots that have a directory, in use or half made. */
  proxySlots(): number[] {
    return list(join(this.root, "proxies"))
      .map(Number)
      .sort((a, b) => a - b);
  }
}

/**
 * Checks that the BPF file system is there and makes the directories that everything else is pinned in.
 *
 * Throws `ERR_BPFFS_MISSING`, `ERR_BPFFS_READ_ONLY`, `ERR_NOT_PERMITTED`.
 */
export function preparePins(bpffs: string, pins: Pins): void {
  if (!isBpffs(bpffs)) {
    throw new EbpfError(
      "ERR_BPFFS_MISSING",
      `${bpffs} is no BPF file system. Mount one with: mount -t bpf bpf ${bpffs}, and mount it into the agent's container (hostPath, ` +
        "mountPropagation: HostToContainer)",
    );
  }
  attempt(`making directories in ${bpffs}`, () => {
    // mkdir -p alone would say ENOENT on a read-only file system.
    accessSync(bpffs, constants.W_OK);
    for (const directory of [pins.maps, pins.programs]) mkdirSync(directory, { recursive: true, mode: 0o700 });
  });
}

export function isBpffs(path: string): boolean {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error))) return false;
    throw error;
  }
}

/** Names in a directory; none when it is not there. */
export function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

export function makeDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
}

/** Removes a pin or a whole directory of them. Links whose last reference a pin was are detached by that. */
export function removePins(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** Keeps a small text beside pins, as the target of a symbolic link. Replaced in one step. */
export function writeNote(path: string, text: string): void {
  const fresh = `${path}-new`;
  rmSync(fresh, { force: true });
  symlinkSync(text, fresh);
  renameSync(fresh, path);
}

export function readNote(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** bpffs refuses names with dots (kernel/bpf/inode.c, bpf_lookup()), and no file system takes slashes. */
function encodeName(uid: string): string {
  const name = uid.replaceAll(/[^A-Za-z0-9_-]/g, (char) =>
    [...Buffer.from(char)].map((byte) => `%${byte.toString(16).padStart(2, "0").toUpperCase()}`).join(""),
  );
  if (name === "" || name.length > 255) {
    throw new EbpfError(
      "ERR_INVALID_UID",
      `the workload uid ${JSON.stringify(uid)} is empty or too long for a file name`,
    );
  }
  return name;
}

function decodeName(name: string): string {
  return decodeURIComponent(name);
}
