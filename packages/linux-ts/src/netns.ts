import { closeSync, constants, fstatSync, openSync, readlinkSync } from "node:fs";
import { calling, LinuxError } from "./errors.ts";
import { native } from "./native.ts";

/** A descriptor of the network namespace to work in; undefined is the calling thread's own. */
export type NetnsFd = number | undefined;

/** CLONE_NEWNET (include/uapi/linux/sched.h). */
const typeNet = 0x40000000;

/** An open network namespace: it cannot vanish while this is open, even when its last process and its name are gone. */
export class Netns implements Disposable {
  readonly fd: number;
  /** The namespace's identity on this machine for as long as it lives: the inode number in nsfs, `net:[4026531840]`. */
  readonly inode: number;
  /** As it was opened; the name may mean another namespace by now. */
  readonly path: string;
  #open = true;

  constructor(fd: number, inode: number, path: string) {
    this.fd = fd;
    this.inode = inode;
    this.path = path;
  }

  /** Closes the descriptor; doing it again does nothing. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
  }
}

/**
 * Opens a network namespace by path: `/run/netns/<name>`, `/proc/<pid>/ns/net`.
 *
 * Throws `ENOENT` and the other errors of open(2), and `ERR_NOT_A_NETNS` for a file that is something else, such as the empty regular
 * file that stays under /run/netns when the mount over it is gone (ip-netns(8)).
 */
export function openNetns(path: string): Netns {
  // O_NONBLOCK: a FIFO by that name must not hold the thread.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const fd = calling(`opening the network namespace ${path}`, () => openSync(path, flags));
  try {
    // nsfs magic, then ioctl_ns(2) NS_GET_NSTYPE.
    const type = calling(`examining ${path}`, () => native.namespaceType(fd));
    if (type !== typeNet) {
      const found = type === 0 ? "no namespace (is the mount over it gone?)" : "a namespace of another type";
      throw new LinuxError("ERR_NOT_A_NETNS", `${path} is ${found}: a network namespace was expected`);
    }
    return new Netns(fd, fstatSync(fd).ino, path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The same, and undefined where nothing is, or no network namespace: the empty file that ip-netns(8) leaves when the mount over it is gone. */
export function openNetnsIfThere(path: string): Netns | undefined {
  try {
    return openNetns(path);
  } catch (error) {
    if (error instanceof LinuxError && ABSENT.includes(error.code)) return undefined;
    throw error;
  }
}

/** ESRCH: the process has ended by now (/proc/<pid>/ns/net). */
const ABSENT: readonly string[] = ["ENOENT", "ENOTDIR", "ESRCH", "ERR_NOT_A_NETNS"];

/** For the end of an error message: " in /run/netns/blue". Nothing for the thread's own. */
export function whereIs(netns: NetnsFd): string {
  if (netns === undefined) return "";
  try {
    return ` in ${readlinkSync(`/proc/self/fd/${netns}`)}`;
  } catch {
    // Part of an explanation: the error that is being told says more than why the name is missing.
    return ` in the network namespace of descriptor ${netns}, which is not open`;
  }
}

/** The calling thread's own network namespace. */
export function currentNetns(): Netns {
  return openNetns("/proc/thread-self/ns/net");
}
