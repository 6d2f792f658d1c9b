import { readFileSync } from "node:fs";
import type { Check, Finding } from "../check.ts";

interface Mount {
  readonly point: string;
  readonly readOnly: boolean;
  readonly type: string;
}

/** proc_pid_mountinfo(5) writes blank, tab, line feed and backslash as three octal digits. */
const unescapeOctal = (text: string) =>
  text.replaceAll(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** The mounts that one can see, in the order they were made: of two at one place the later one hides the earlier. */
export function parseMountinfo(text: string): readonly Mount[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [left = "", right = ""] = line.split(" - ");
      const fields = left.split(" ");
      const [type = "", , superOptions = ""] = right.split(" ");
      const options = [...(fields[5] ?? "").split(","), ...superOptions.split(",")];
      return { point: unescapeOctal(fields[4] ?? ""), readOnly: options.includes("ro"), type };
    });
}

const NEEDED = "backend ebpf needs a writable one";

/** Whether a writable BPF file system is where pins are to go. */
export function bpffsFinding(mountinfo: string, place: string): Finding {
  const name = "bpffs";
  const mounts = parseMountinfo(mountinfo);
  const here = mounts.findLast((mount) => mount.point === place);
  if (here?.type === "bpf") {
    return here.readOnly
      ? { name, state: "warn", detail: `${NEEDED}: ${place} is mounted read-only: mount -o remount,rw ${place}` }
      : { name, state: "good", detail: `mounted read-write at ${place}` };
  }
  const elsewhere = mounts.filter((mount) => mount.type === "bpf").map((mount) => mount.point);
  return {
    name,
    state: "warn",
    detail:
      `${NEEDED}: ${here === undefined ? "nothing" : `a file system of type ${here.type}`} is mounted at ${place}: ` +
      (elsewhere.length > 0
        ? `there is one at ${elsewhere.join(", ")}: name it with --paths-bpffs`
        : `mount -t bpf bpf ${place}`),
  };
}

export const bpfFileSystem: Check = ({ bpffs }) => [bpffsFinding(readFileSync("/proc/self/mountinfo", "utf8"), bpffs)];
