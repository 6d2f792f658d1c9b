import { mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LINK_TYPES, MAP_TYPES, PROGRAM_TYPES } from "./kernel-names.ts";
import { KIND, native } from "./native.ts";
import {
  libbpfVersion,
  probeBatch,
  probeBpf,
  probeBpffs,
  probeHelper,
  probeMapType,
  probeNetfilter,
  probeNetnsCookie,
  probeProgramType,
  probeRingBuffer,
  probeTcx,
} from "./probes.ts";
import { openFds } from "./testing/kernel.ts";
import { runNode } from "./testing/run-node.ts";
import { TestBpffs } from "./testing/test-bpffs.ts";

const [major = 0, minor = 0] = readFileSync("/proc/sys/kernel/osrelease", "utf8").split(".").map(Number);
const since = (wanted: number, wantedMinor: number) => major > wanted || (major === wanted && minor >= wantedMinor);

test("what this kernel has", () => {
  const before = openFds();
  expect(probeBpf()).toEqual({ available: true });
  expect(probeProgramType("sched_cls")).toEqual({ available: true });
  expect(probeProgramType("sk_lookup")).toEqual({ available: since(5, 9) });
  expect(probeMapType("lru_hash")).toEqual({ available: true });
  expect(probeRingBuffer()).toEqual({ available: since(5, 8) });
  expect(probeTcx()).toEqual({ available: since(6, 6) });
  expect(probeHelper("sched_cls", "redirect_peer")).toEqual({ available: since(5, 10) });
  expect(probeHelper("sched_cls", 1)).toEqual({ available: true });
  expect(openFds()).toBe(before);
});

test("what no kernel has", () => {
  expect(probeHelper("sched_cls", "xdp_adjust_head")).toEqual({ available: false });
  expect(probeHelper("sched_cls", 100_000)).toEqual({ available: false });
  expect(() => probeHelper("sched_cls", "no_such_helper")).toThrow(
    expect.objectContaining({ code: "ERR_UNKNOWN_NAME" }),
  );
  expect(native.probeTcx(4711)).toBe(false); // an attach type of the future, as tcx is one for kernels before 6.6
});

test("batches, netfilter links and cookies of namespaces are there on a kernel that has them", () => {
  expect(probeBatch("hash")).toEqual({ available: true });
  expect(probeBatch("stack_trace").available).toBe(false);
  expect(probeNetfilter().error).toBeUndefined();
  expect(probeNetnsCookie()).toEqual({ available: true });
});

test("the libbpf in use says its version", () => {
  expect(libbpfVersion()).toMatch(/^\d+\.\d+/);
});

test("refused bpf(2): each probe carries the error instead of a wrong no or yes", () => {
  const { stdout, status } = runNode(
    `const probes = [bpf.probeBpf(), bpf.probeProgramType("sched_cls"), bpf.probeMapType("hash"), bpf.probeRingBuffer(),
       bpf.probeHelper("sched_cls", "redirect"), bpf.probeTcx()];
     console.log(JSON.stringify(probes.map(({ available, error }) => [available, error?.name, error?.code, error?.errno])));`,
    "setpriv",
    // May read this checkout wherever it lies, and nothing else.
    "--bounding-set=-all,+dac_read_search",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
    "--reuid=65534",
    "--clear-groups",
  );
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual(Array(6).fill([false, "LibbpfError", "EPERM", -1]));
});

test("with CAP_BPF alone, program types that need more are refused, not missing", () => {
  const { stdout, status } = runNode(
    `console.log(JSON.stringify([bpf.probeBpf(), bpf.probeProgramType("socket_filter")]),
       bpf.probeProgramType("sched_cls").error?.code, bpf.probeHelper("sched_cls", "redirect").error?.code);`,
    ...["setpriv", "--bounding-set=-all,+bpf", "--inh-caps=-all"],
  );
  expect(status).toBe(0);
  expect(stdout).toBe('[{"available":true},{"available":true}] EPERM EPERM');
});

test("a BPF file system, a missing path, a directory of another kind, one that is read only", () => {
  using bpffs = new TestBpffs();
  expect(probeBpffs(bpffs.path)).toEqual({ available: true });
  expect(probeBpffs(bpffs.at("nothing"))).toMatchObject({
    available: false,
    error: { code: "ENOENT", errno: -2, syscall: "statfs" },
  });
  const directory = mkdtempSync(join(tmpdir(), "libbpf-ts-"));
  expect(probeBpffs(directory)).toMatchObject({ available: false, error: { code: "ERR_NOT_BPFFS" } });
  rmdirSync(directory);
  const { stdout } = runNode(
    `const { execFileSync } = await import("node:child_process");
     execFileSync("mount", ["-o", "remount,ro,bind", ${JSON.stringify(bpffs.path)}]);
     const { available, error } = bpf.probeBpffs(${JSON.stringify(bpffs.path)});
     console.log(available, error.code, error.syscall);`,
    "unshare",
    "--mount",
  );
  expect(stdout).toBe("false EROFS access");
});

test("names of maps, programs and links are libbpf's", () => {
  const tables = [
    [KIND.map, MAP_TYPES],
    [KIND.program, PROGRAM_TYPES],
    [KIND.link, LINK_TYPES],
  ] as const;
  for (const [kind, table] of tables) {
    for (const [name, value] of Object.entries(table)) {
      const known = native.typeName(kind, value);
      if (known !== undefined) expect(known).toBe(name); // an older libbpf knows fewer
    }
    expect(native.typeName(kind, 1)).toBe(Object.keys(table)[0]);
  }
});
