import {
  accessSync,
  constants,
  type Dirent,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { errorCode } from "@millrace/core/internal";
import type { z } from "zod";
import { attempt, EbpfError } from "./errors.ts";
import { LAYOUT_VERSION, MAX_PROXIES } from "./layout.ts";

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
 *                     programs/loaded-from                  which object file they are of (loaded-from.ts); beside those of proxies too
 *                     workloads/<uid>/<ifindex>/            enrolled interface; holds tcx links `ingress`, `egress`, or `own-qdisc`
 *                     proxies/<slot>/identity               who the slot is for
 *                     proxies/<slot>/{maps,programs,links}/ what belongs to that proxy alone
 *                     take-over                             while another version's place is being taken: which, and how far (take-over.ts)
 * ```
 */
export class Pins {
  /** Directory above the layout versions. */
  readonly base: string;
  readonly root: string;
  readonly maps: string;
  readonly programs: string;
  readonly version: number;

  /** `version` of the layout: this one's if it is not given. */
  constructor(bpffs: string, name: string, version = LAYOUT_VERSION) {
    this.version = version;
    this.base = join(bpffs, name);
    this.root = join(this.base, `v${version}`);
    this.maps = join(this.root, "maps");
    this.programs = join(this.root, "programs");
  }

  workload(uid: string, ifindex: number): string {
    return join(this.workloadParent(uid), String(ifindex));
  }

  workloadParent(uid: string): string {
    return join(this.root, "workloads", encodeName(uid));
  }

  /** The versions that have a directory, whoever made it. */
  versions(): number[] {
    return entries(this.base)
      .filter((entry) => entry.isDirectory() && /^v[1-9]\d*$/.test(entry.name))
      .map(({ name }) => Number(name.slice(1)))
      .sort((a, b) => a - b);
  }

  /** Whether anything is pinned here. Directories alone are nothing. */
  isUsed(): boolean {
    return ["maps", "workloads", "proxies"].some((part) => entries(join(this.root, part)).length > 0);
  }

  /** Where it is noted that this version is taking another one's place. */
  get takeOverNote(): string {
    return join(this.root, "take-over");
  }

  /** All of them: as many readings of directories as there are members. */
  workloads(): WorkloadPin[] {
    return this.#uids().flatMap((uid) => this.workloadsOf(uid));
  }

  /** The interfaces of one; several while it changes from one to another. */
  workloadsOf(uid: string): WorkloadPin[] {
    const parent = this.workloadParent(uid);
    return entries(parent)
      .filter(isInterface)
      .map(({ name }) => ({ uid, ifindex: Number(name), directory: join(parent, name) }));
  }

  proxy(slot: number): string {
    return join(this.root, "proxies", String(slot));
  }

  /** Slots that have a directory, in use or half made. */
  proxySlots(): number[] {
    return entries(join(this.root, "proxies"))
      .filter(isSlot)
      .map(({ name }) => Number(name))
      .sort((a, b) => a - b);
  }

  /** What stands among the workloads' directories and is none that this backend makes. */
  strayWorkloads(): string[] {
    const parent = join(this.root, "workloads");
    return [
      ...pathsOf(parent, (entry) => !isWorkload(entry)),
      ...this.#uids().flatMap((uid) => pathsOf(this.workloadParent(uid), (entry) => !isInterface(entry))),
    ];
  }

  /** The same among the proxies' slots. */
  strayProxies(): string[] {
    return pathsOf(join(this.root, "proxies"), (entry) => !isSlot(entry));
  }

  #uids(): string[] {
    return entries(join(this.root, "workloads"))
      .filter(isWorkload)
      .map(({ name }) => decodeURIComponent(name));
  }
}

const pathsOf = (parent: string, isMeant: (entry: Dirent) => boolean): string[] =>
  entries(parent)
    .filter(isMeant)
    .map(({ name }) => join(parent, name));

/** Names are what this backend makes of a uid or a number, and of nothing else: what somebody else put there must not be taken for one. */
function isWorkload(entry: Dirent): boolean {
  if (!entry.isDirectory()) return false;
  try {
    return encodeName(decodeURIComponent(entry.name)) === entry.name;
  } catch (error) {
    if (error instanceof URIError) return false;
    throw error;
  }
}

const isInterface = (entry: Dirent): boolean => entry.isDirectory() && /^[1-9]\d*$/.test(entry.name);

const isSlot = (entry: Dirent): boolean =>
  entry.isDirectory() && /^(0|[1-9]\d*)$/.test(entry.name) && Number(entry.name) < MAX_PROXIES;

/**
 * Checks that the BPF file system is there and can be written.
 *
 * Throws `ERR_BPFFS_MISSING`, `ERR_BPFFS_READ_ONLY`, `ERR_NOT_PERMITTED`.
 */
export function requireBpffs(bpffs: string): void {
  if (!isBpffs(bpffs)) {
    throw new EbpfError(
      "ERR_BPFFS_MISSING",
      `${bpffs} is no BPF file system. Mount one with: mount -t bpf bpf ${bpffs}, and mount it into the agent's container (hostPath, ` +
        "mountPropagation: HostToContainer)",
    );
  }
  // mkdir -p alone would say ENOENT on a read-only file system.
  attempt(`making directories in ${bpffs}`, () => accessSync(bpffs, constants.W_OK));
}

export function isBpffs(path: string): boolean {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error))) return false;
    throw error;
  }
}

/** What is in a directory, by name; nothing when it is not there, or is none. */
function entries(directory: string): Dirent[] {
  return unlessAbsent(() => readdirSync(directory, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The names of what is in a directory; none when it is not there, or is none. */
export function namesIn(directory: string): ReadonlySet<string> {
  return new Set(unlessAbsent(() => readdirSync(directory)));
}

function unlessAbsent<T>(read: () => T[]): T[] {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error))) return [];
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

/**
 * Pins everything below a directory a second time: a pin more for the same links and maps (link(2), kernel/bpf/inode.c), copies of notes.
 * What is there already stays. `without`: names of directories of the first depth below `from` that are left out.
 */
export function pinTwice(from: string, to: string, without: readonly string[] = []): void {
  makeDirectory(to);
  for (const entry of entries(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    // What a crash left of something that was to be renamed into its place.
    if (without.includes(entry.name) || entry.name.endsWith("-new")) continue;
    if (entry.isDirectory()) pinTwice(source, target);
    else if (entry.isSymbolicLink()) writeNote(target, readlinkSync(source));
    else if (lstatSync(target, { throwIfNoEntry: false }) === undefined) linkSync(source, target);
  }
}

/** Keeps a small text beside pins, as the target of a symbolic link. Replaced in one step, whatever somebody put there. */
export function writeNote(path: string, text: string): void {
  const fresh = `${path}-new`;
  removePins(fresh);
  symlinkSync(text, fresh);
  // rename(2) puts nothing else over a directory: EISDIR.
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) removePins(path);
  renameSync(fresh, path);
}

/** Undefined where there is none, or something that is no note: a pin, a directory. */
export function readNote(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EINVAL"].includes(errorCode(error))) return undefined;
    throw error;
  }
}

/** What a note holds in JSON. One that cannot be read is as good as none: what it tells is found or made anew. */
export function readJson<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> | undefined {
  const text = readNote(path);
  return text === undefined ? undefined : schema.safeParse(parsed(text)).data;
}

/** Undefined, which no schema here takes, for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
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
