import { randomBytes } from "node:crypto";
import { closeSync, openSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { runChecked } from "../programs/command.ts";
import { NAMESPACES } from "../suite/testbed.ts";
import type { CrashBed } from "./bed.ts";

/** Something that goes wrong around an agent, and what it then has to do. */
export interface Condition {
  readonly name: string;
  /** Whether an agent runs meanwhile, or finds it when it starts. */
  readonly when: "running" | "stopped";
  /** `goes on`: does all that it is asked for. `refuses`: does not start, says this, and leaves the node as it is. */
  readonly does: "goes on" | { readonly refuses: string };
  /** Only with this backend there is something to it. */
  readonly backend?: "ebpf";
  /** No connection can go on meanwhile, or none is captured, whatever an agent does: none is made. */
  readonly withoutTraffic?: true;
  /** Before it, while all is well. */
  prepare?(bed: CrashBed): Promise<void>;
  harm(bed: CrashBed): void | Promise<void>;
  /** Takes it back, where an agent does not. */
  heal?(bed: CrashBed): void | Promise<void>;
}

const log = ({ node }: CrashBed): string => node.paths.eventLog;
const filesOf = (path: string): string[] => ["", "-wal", "-shm"].map((suffix) => path + suffix);

/** All of the log in its main file, as it is after a while (sqlite.org/wal.html, "Checkpointing"). */
function checkpointed(bed: CrashBed): string {
  const db = new DatabaseSync(log(bed));
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
  return log(bed);
}

const PAGE = 4096;

function overwrite(path: string): void {
  const file = openSync(path, "r+");
  writeSync(file, randomBytes(PAGE), 0, PAGE, PAGE);
  closeSync(file);
}

/** In the middle of a page. */
const cutOff = (path: string) =>
  truncateSync(path, Math.max(0, Math.floor(statSync(path).size / 2 / PAGE) * PAGE - 100));
const remove = (bed: CrashBed) => bed.loseLog();
const version = (bed: CrashBed, step: number) => {
  const db = new DatabaseSync(log(bed));
  const { user_version: now } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  db.exec(`PRAGMA user_version = ${now + step}`);
  db.close();
};

/** A disk of its own for the log, with no room left. */
const disk = ({ node }: CrashBed): string => join(node.paths.root, "disk");

async function moveToFullDisk(bed: CrashBed): Promise<void> {
  checkpointed(bed);
  await runChecked("mkdir", ["-p", disk(bed)]);
  await runChecked("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk(bed)]);
  await runChecked("cp", [log(bed), join(disk(bed), "events.db")]);
  renameSync(log(bed), `${log(bed)}.kept`);
  symlinkSync(join(disk(bed), "events.db"), log(bed));
  // Until there is no room: head(1) fails at the end, and that is what it is for.
  await runChecked("sh", ["-c", `cat /dev/zero >${join(disk(bed), "filler")} 2>/dev/null || true`]);
}

async function leaveFullDisk(bed: CrashBed): Promise<void> {
  rmSync(log(bed));
  for (const path of filesOf(join(disk(bed), "events.db"))) rmSync(path, { force: true });
  await runChecked("umount", [disk(bed)]);
  renameSync(`${log(bed)}.kept`, log(bed));
}

/**
 * Pins are gone, and with the last of them what they kept (kernel/bpf/inode.c). Unmounting alone would do it only where no other mount
 * namespace of this machine has a copy of the mount: it would keep the pins where nobody finds them.
 */
async function freshBpffs({ node: { paths } }: CrashBed): Promise<void> {
  rmSync(join(paths.bpffs, "millrace"), { recursive: true });
  await runChecked("umount", ["-l", paths.bpffs]);
  await runChecked("mount", ["-t", "bpf", "bpf", paths.bpffs]);
}

/** A member of which only the Pod object is left. */
const guest = {
  prepare: async (bed: CrashBed) => {
    bed.node.applyPod(await bed.node.addPod({ name: "g1", namespace: NAMESPACES.mesh }));
    await bed.agent.untilEnrolled(bed.lab.pod("g1"));
  },
  harm: async (bed: CrashBed) => {
    const gone = bed.lab.pod("g1");
    await bed.node.removePod("g1");
    bed.node.deletePodObject(gone);
  },
};

/** The node proxy's namespace goes with it, and another takes its place. */
const proxyGone = {
  prepare: async (bed: CrashBed) => {
    bed.wanted.active = await bed.addProxy("z3");
    bed.publishProxies();
    await bed.settled();
  },
  harm: async (bed: CrashBed) => {
    const gone = bed.lab.pod("z3");
    await bed.node.removePod("z3");
    bed.node.deletePodObject(gone);
    bed.wanted.active = bed.lab.pod("z1");
    bed.publishProxies();
  },
};

const DAY = 24 * 3600;
const clock = (aheadSeconds: number) => ({
  harm: (bed: CrashBed) => bed.clock.set(aheadSeconds),
  heal: (bed: CrashBed) => bed.clock.set(0),
});

/** By the lock beside its admin socket; exit status 6 is a conflict (`millrace --help`). */
async function startSecond(bed: CrashBed): Promise<void> {
  const second = bed.start([], "agent");
  await second.ended;
  if (second.outcome !== "status 6") throw new Error(`a second agent ended with ${second.outcome}:\n${second.tail()}`);
}

export const CONDITIONS: readonly Condition[] = [
  { name: "event log cut off", when: "stopped", does: "goes on", harm: (bed) => cutOff(checkpointed(bed)) },
  {
    name: "page of the event log overwritten",
    when: "stopped",
    does: "goes on",
    harm: (bed) => overwrite(checkpointed(bed)),
  },
  {
    name: "WAL of the event log gone",
    when: "stopped",
    does: "goes on",
    harm: (bed) => rmSync(`${log(bed)}-wal`, { force: true }),
  },
  { name: "event log deleted", when: "stopped", does: "goes on", harm: remove },
  {
    name: "event log read-only",
    when: "stopped",
    does: "goes on",
    harm: async (bed) => mountReadOnly(checkpointed(bed)),
    heal: async (bed) => void (await runChecked("umount", ["-l", log(bed)])),
  },
  { name: "disk of the event log full", when: "stopped", does: "goes on", harm: moveToFullDisk, heal: leaveFullDisk },
  {
    name: "event log of a newer version",
    when: "stopped",
    does: { refuses: "ERR_LOG_NEWER_SCHEMA" },
    harm: (bed) => version(bed, 97),
    heal: (bed) => version(bed, -97),
  },
  { name: "event log cut off", when: "running", does: "goes on", harm: (bed) => cutOff(`${log(bed)}-wal`) },
  { name: "event log deleted", when: "running", does: "goes on", harm: remove },
  { name: "second agent", when: "running", does: "goes on", harm: startSecond },
  ...[3600, -3600, DAY, -DAY].flatMap((seconds) =>
    (["running", "stopped"] as const).map(
      (when): Condition => ({
        name: `clock ${seconds > 0 ? "+" : ""}${seconds} s`,
        when,
        does: "goes on",
        ...clock(seconds),
      }),
    ),
  ),
  {
    name: "file system of the pins gone",
    when: "stopped",
    does: "goes on",
    backend: "ebpf",
    withoutTraffic: true,
    harm: freshBpffs,
  },
  { name: "member's namespace gone", when: "running", does: "goes on", ...guest },
  { name: "member's namespace gone", when: "stopped", does: "goes on", ...guest },
  { name: "proxy's namespace gone", when: "running", does: "goes on", withoutTraffic: true, ...proxyGone },
  { name: "proxy's namespace gone", when: "stopped", does: "goes on", withoutTraffic: true, ...proxyGone },
];

async function mountReadOnly(path: string): Promise<void> {
  await runChecked("mount", ["--bind", path, path]);
  await runChecked("mount", ["-o", "remount,bind,ro", path]);
}
