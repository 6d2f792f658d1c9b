import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "./bundle.ts";
import { fetchKernel } from "./kernels/kernels.ts";

/** An idle machine boots in 5 s. */
const PATIENCE = 180_000;

let kernel: string;
let directory: string;

beforeAll(() => {
  kernel = fetchKernel("6.12", { cache: process.env.MILLRACE_CACHE ?? join(homedir(), ".cache", "millrace") });
  directory = mkdtempSync(join(tmpdir(), "run-in-vm-test."));
}, PATIENCE);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(options: readonly string[], command: string): { child: ChildProcess; ended: Promise<Ended> } {
  const args = ["-k", kernel, ...options, "--", "bash", "-c", command];
  const child = spawn(join(ROOT, "test/vm/run-in-vm.sh"), args, {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (chunk: string) => {
      text[stream] += chunk;
    });
  }
  return { child, ended: new Promise((resolve) => child.once("close", (status) => resolve({ status, ...text }))) };
}

const inVm = (options: readonly string[], command: string): Promise<Ended> => start(options, command).ended;

/** Processes that have our folder in their arguments: QEMU, file servers and the script itself. */
const processes = (): string[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return line.includes(`${directory}/run-in-vm.`) ? [line] : [];
      } catch {
        return []; // it has ended meanwhile
      }
    });

test(
  "gives each process the same addresses: without that each start of a program takes three times as long",
  async () => {
    const { stdout } = await inVm([], "for i in 1 2 3; do head -n 1 /proc/self/maps; done | sort -u | wc -l");
    expect(stdout).toBe("1\n");
  },
  PATIENCE,
);

test(
  "runs a command as root on the other kernel, in the same folder, and returns its output and exit status",
  async () => {
    const out = join(directory, "out");
    mkdirSync(out);
    writeFileSync(join(directory, "host"), "of the host");
    const { status, stdout, stderr } = await inVm(
      ["-t", "170", "-e", "GREETING=it's a b", "-o", out],
      `uname -r; id -u; pwd; echo "$GREETING"; cat ${directory}/host; echo
       echo changed > ${directory}/host; echo kept > ${out}/file
       ip link add type veth && echo modules; exit 7`,
    );
    expect({ status, lines: stdout.trim().split("\n") }, stderr).toEqual({
      status: 7,
      lines: [expect.stringMatching(/^6\.12\./), "0", ROOT.slice(0, -1), "it's a b", "of the host", "modules"],
    });
    expect(readFileSync(join(directory, "host"), "utf8")).toBe("of the host");
    expect(readFileSync(join(out, "file"), "utf8")).toBe("kept\n");
    expect(processes()).toEqual([]);
  },
  PATIENCE,
);

test(
  "says 125 and shows the console when the guest panics",
  async () => {
    const { status, stderr } = await inVm(["-t", "170"], "echo c > /proc/sysrq-trigger; sleep 60");
    expect(status, stderr).toBe(125);
    expect(stderr).toMatch(/gave no exit status[\s\S]*Kernel panic/);
    expect(processes()).toEqual([]);
  },
  PATIENCE,
);

test(
  "says 124 when the time limit is over",
  async () => {
    const { status, stderr } = await inVm(["-t", "3"], "sleep 1000");
    expect(status, stderr).toBe(124);
    expect(stderr).toContain("the time limit of 3 s is over");
    expect(processes()).toEqual([]);
  },
  PATIENCE,
);

test(
  "leaves nothing when it is killed",
  async () => {
    const { child, ended } = start(["-t", "170"], "echo started; sleep 1000");
    await new Promise<void>((resolve) => child.stdout?.once("data", () => resolve()));
    expect(processes().length).toBeGreaterThan(1);
    child.kill("SIGKILL");
    await ended;
    await expect.poll(processes, { timeout: 30_000 }).toEqual([]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(directory);
  },
  PATIENCE,
);
