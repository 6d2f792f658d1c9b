import { calling, LinuxError } from "./errors.ts";
import { native } from "./native.ts";
import { type NetnsFd, whereIs } from "./netns.ts";

/**
 * Reads `/proc/sys/<path>`, without the newline at the end. What is below `net/` is per namespace, and the one of whoever looks the path
 * up is meant (fs/proc/proc_sysctl.c), so the file is opened inside `netns`. The path has slashes, not dots: names of interfaces may
 * contain dots. Throws `ENOENT` for a setting that this kernel or namespace does not have.
 */
export function readSysctl(netns: NetnsFd, path: string): string {
  checkPath(path);
  const value = calling(
    () => `reading the sysctl ${path}${whereIs(netns)}`,
    () => native.sysctlRead(netns ?? -1, path),
  );
  return value.endsWith("\n") ? value.slice(0, -1) : value;
}

/**
 * Writes it in one write(2), with a newline: what readSysctl() gave can be put back, an empty list too.
 * Throws `EINVAL` for a value that the kernel refuses, `EACCES` for a setting that is read-only.
 */
export function writeSysctl(netns: NetnsFd, path: string, value: string | number): void {
  checkPath(path);
  const text = String(value);
  if (text.includes("\0")) throw new LinuxError("ERR_INVALID_ARGUMENT", `the value for ${path} holds a zero byte`);
  calling(
    () => `writing ${JSON.stringify(text)} to the sysctl ${path}${whereIs(netns)}`,
    () => native.sysctlWrite(netns ?? -1, path, `${text}\n`),
  );
}

/** Components may hold whatever dev_valid_name (net/core/dev.c) allows in the name of an interface. */
function checkPath(path: string): void {
  const bad = (part: string) => part === "" || part === "." || part === ".." || /[\s\0]/.test(part);
  if (path.split("/").some(bad)) {
    throw new LinuxError("ERR_INVALID_ARGUMENT", `"${path}" is no sysctl path: "net/ipv4/ip_forward" is the form`);
  }
}
