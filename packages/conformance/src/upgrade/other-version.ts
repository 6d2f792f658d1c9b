import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LabError } from "../errors.ts";
import { run } from "../programs/command.ts";

const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));
const LAYOUT_C = "bpf/include/layout.h";
const LAYOUT_TS = "packages/plugin-ebpf/src/layout.ts";

/** A place in a source file that another version has otherwise. */
export interface Change {
  /** Below the repository. */
  readonly file: string;
  /** What stands there, exactly once. */
  readonly from: string;
  readonly to: string;
}

const versioned = (version: number): Change[] => [
  { file: LAYOUT_C, from: "#define LAYOUT_VERSION 1", to: `#define LAYOUT_VERSION ${version}` },
  { file: LAYOUT_TS, from: "export const LAYOUT_VERSION = 1;", to: `export const LAYOUT_VERSION = ${version};` },
  { file: "packages/agent/package.json", from: '"version": "0.1.0"', to: `"version": "0.${version}.0"` },
];

/**
 * A version in which every map that user space writes has another layout, of the same size or of another one, and of the maps of
 * connections one has other values and one another size. The programs are the same, compiled for these.
 */
export const NEXT_VERSION: readonly Change[] = [
  ...versioned(2),
  {
    file: LAYOUT_C,
    from: "	__u8 active;   /* slot + 1 of the active proxy; 0: none, members' TCP fails closed */\n	__u8 draining; /* bit n: slot n holds a draining proxy */\n	__u16 flags;   /* SETTING_* */\n	__u32 reserved;\n",
    to: "	__u16 flags;\n	__u8 draining;\n	__u8 active;\n	__u32 reserved;\n",
  },
  {
    file: LAYOUT_TS,
    from: "struct(8, { active: u8(0), draining: u8(1), flags: u16(2),",
    to: "struct(8, { active: u8(3), draining: u8(2), flags: u16(0),",
  },
  { file: LAYOUT_C, from: "struct proxy {\n", to: "struct proxy {\n	__u64 weight;\n" },
  {
    file: LAYOUT_TS,
    from: "struct(16, {\n  ifindex: u32(0),\n  netnsid: u32(4),\n  mac: macAddress(8),\n  flags: u8(14),\n  reserved: pad(15, 1),",
    to: "struct(24, {\n  weight: pad(0, 8),\n  ifindex: u32(8),\n  netnsid: u32(12),\n  mac: macAddress(16),\n  flags: u8(22),\n  reserved: pad(23, 1),",
  },
  { file: LAYOUT_C, from: "	__u32 flags; /* WORKLOAD_*, written by user space only */\n", to: "" },
  {
    file: LAYOUT_C,
    from: "	__u64 adopt_until_ns; /* CLOCK_MONOTONIC; until then, what is older than the enrolment passes */\n",
    to: "	__u32 flags;\n	__u64 adopt_until_ns;\n	__u64 generation;\n",
  },
  {
    file: LAYOUT_TS,
    from: "struct(16, { flags: u32(0), via_host: u32(4), adopt_until_ns: u64(8) })",
    to: "struct(24, { via_host: u32(0), flags: u32(4), adopt_until_ns: u64(8), generation: pad(16, 8) })",
  },
  {
    file: LAYOUT_C,
    from: "	__u32 ifindex; /* host end of the member's veth */\n	__u8 mac[6];   /* inner end */\n	__u8 reserved[2];\n",
    to: "	__u8 mac[6];\n	__u8 reserved[2];\n	__u32 ifindex;\n",
  },
  {
    file: LAYOUT_TS,
    from: "struct(12, { ifindex: u32(0), mac: macAddress(4), reserved: pad(10, 2) })",
    to: "struct(12, { ifindex: u32(8), mac: macAddress(0), reserved: pad(6, 2) })",
  },
  {
    file: LAYOUT_C,
    from: "	__u32 ifindex; /* of the workload, as in `workloads` */\n	__be16 port;\n",
    to: "	__be16 port;\n	__u16 reserved_too;\n	__u32 ifindex;\n",
  },
  {
    file: LAYOUT_C,
    from: "	__u8 way;      /* enum excluded_way */\n	__u8 reserved; /* 0 */\n",
    to: "	__u32 way;\n",
  },
  {
    file: LAYOUT_TS,
    from: "struct(8, { ifindex: u32(0), port: be16(4), way: u8(6), reserved: pad(7, 1) })",
    to: "struct(12, { port: be16(0), reserved_too: pad(2, 2), ifindex: u32(4), way: u32(8) })",
  },
  {
    file: LAYOUT_C,
    from: "	__u8 member_ended; /* the member has sent a FIN */\n",
    to: "	__u32 hops;\n	__u8 member_ended;\n",
  },
  {
    file: "bpf/include/node-maps.h",
    from: "	__uint(max_entries, 16384);\n	__type(key, struct flow);\n	__type(value, __u32);\n} via_host SEC",
    to: "	__uint(max_entries, 32768);\n	__type(key, struct flow);\n	__type(value, __u32);\n} via_host SEC",
  },
];

/** A version whose programs speak with each other in another way: no other version's programs can do so with its own. */
export const STRANGE_VERSION: readonly Change[] = [
  ...versioned(3),
  {
    file: "bpf/include/proxy-maps.h",
    from: "	__uint(max_entries, 65536);\n	__type(key, struct flow);\n	__type(value, __u32);\n} flows SEC",
    to: "	__uint(max_entries, 131072);\n	__type(key, struct flow);\n	__type(value, __u32);\n} flows SEC",
  },
];

/**
 * Writes down another version of this repository below `directory` and builds its BPF objects. Returns how to run its `millrace`. What
 * is the same in both, tools and libraries, is used where it is.
 */
export async function buildVersion(directory: string, changes: readonly Change[]): Promise<readonly string[]> {
  mkdirSync(join(directory, "packages"), { recursive: true });
  for (const name of readdirSync(REPOSITORY)) {
    if (name.startsWith(".") || name === "packages" || name === "bpf") continue;
    symlinkSync(join(REPOSITORY, name), join(directory, name));
  }
  const copied = ["bpf", ...readdirSync(join(REPOSITORY, "packages")).map((name) => join("packages", name))];
  for (const path of copied) {
    // Links of a workspace lead from one of its packages to another: as they are, they lead to the copies.
    const filter = (source: string) => !/\/(dist|[^/]*\.tsbuildinfo)$/.test(source);
    cpSync(join(REPOSITORY, path), join(directory, path), { recursive: true, verbatimSymlinks: true, filter });
  }
  for (const change of changes) apply(directory, change);
  const { status, stdout, stderr } = await run("make", ["-s", "-C", join(directory, "bpf")]);
  if (status !== 0) throw new LabError("ERR_LAB_COMMAND", `make of another version's programs: ${stdout}${stderr}`);
  return [process.execPath, "--conditions=source", join(directory, "packages/agent/src/main.ts")];
}

function apply(directory: string, { file, from, to }: Change): void {
  const path = join(directory, file);
  const text = readFileSync(path, "utf8");
  if (text.split(from).length !== 2)
    throw new RangeError(`${file} does not have exactly once: ${from}. Bring upgrade/other-version.ts up to date`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
}
