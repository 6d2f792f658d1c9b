import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ScratchNetns } from "linux-ts/testing";
import { expect, test } from "vitest";
import type { CommandError } from "./command-error.ts";
import { run } from "./run.ts";

async function failure(running: Promise<string>): Promise<CommandError> {
  const error = await running.then(
    (text) => new Error(`did not fail, printed ${text}`),
    (reason: unknown) => reason,
  );
  return error as CommandError;
}

test("runs in a network namespace given by descriptor or path, with input", async () => {
  using there = new ScratchNetns();
  const inode = `net:[${there.netns.inode}]`;
  expect((await run("readlink", ["/proc/self/ns/net"], { netns: there.fd })).trim()).toBe(inode);
  expect((await run("readlink", ["/proc/self/ns/net"], { netns: there.path })).trim()).toBe(inode);
  expect((await run("readlink", ["/proc/self/ns/net"])).trim()).not.toBe(inode);
  expect(await run("cat", [], { netns: there.fd, input: "a line\n" })).toBe("a line\n");
});

test("a program that is not installed is told with its package, here and there", async () => {
  using there = new ScratchNetns();
  for (const netns of [undefined, there.fd, there.path]) {
    for (const input of [undefined, ""]) {
      expect(await failure(run("ipset-that-is-not", ["list"], { netns, input }))).toMatchObject({
        code: "ERR_COMMAND_MISSING",
        message: expect.stringContaining("ipset-that-is-not is not installed: install the package"),
      });
    }
  }
});

test("a namespace that is not there is no missing program", async () => {
  const error = await failure(run("true", [], { netns: "/run/netns/mr-ipt-never" }));
  expect(error).toMatchObject({
    code: "ERR_COMMAND_FAILED",
    stderr: expect.stringContaining("/run/netns/mr-ipt-never"),
  });
});

test("a failure has the exact command, the exit code and all of standard error", async () => {
  const error = await failure(run("sh", ["-c", "echo one >&2; echo two >&2; exit 3"]));
  expect(error).toMatchObject({
    code: "ERR_COMMAND_FAILED",
    command: "sh -c echo one >&2; echo two >&2; exit 3",
    exitCode: 3,
    stderr: "one\ntwo\n",
  });
  expect(error.message).toContain("one; two");
});

test("what is given an input does not outlive the process that started it, however that ends", async () => {
  using there = new ScratchNetns();
  const directory = mkdtempSync(join(tmpdir(), "millrace-run-"));
  try {
    const program = join(import.meta.dirname, "..", "testing", "run-forever.ts");
    for (const netns of ["", there.path]) {
      const file = join(directory, "pid");
      const parent = spawn(process.execPath, ["--conditions=source", program, file, netns], { stdio: "inherit" });
      await expect.poll(() => pidIn(file), { timeout: 60_000 }).toBeGreaterThan(0);
      const pid = pidIn(file);
      parent.kill("SIGKILL");
      await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false);
      rmSync(file);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const pidIn = (file: string): number => (existsSync(file) ? Number(readFileSync(file, "utf8")) : 0);

test("past its deadline it is stopped", async () => {
  expect(await failure(run("sleep", ["60"], { deadline: 50 }))).toMatchObject({
    code: "ERR_COMMAND_TIMEOUT",
    message: "sleep 60: stopped after 50 ms",
  });
});

test("an abort stops it, and one before stops it from starting", async () => {
  const controller = new AbortController();
  const running = failure(run("sleep", ["60"], { signal: controller.signal }));
  controller.abort(new Error("agent stops"));
  const aborted = { code: "ERR_ABORTED", cause: expect.objectContaining({ message: "agent stops" }) };
  expect(await running).toMatchObject(aborted);
  expect(await failure(run("sleep", ["60"], { signal: controller.signal }))).toMatchObject(aborted);
});

test("killed by somebody else is a failure that names the signal", async () => {
  expect(await failure(run("sh", ["-c", "kill -TERM $$"]))).toMatchObject({
    code: "ERR_COMMAND_FAILED",
    message: expect.stringContaining("SIGTERM"),
  });
});

test("a program that leaves its input unread has not done what it was told, whatever its exit code", async () => {
  const input = "x".repeat(1_000_000);
  expect(await failure(run("true", [], { input }))).toMatchObject({
    code: "ERR_COMMAND_FAILED",
    message: "true: it ended before it had read its input",
  });
  expect(await failure(run("false", [], { input }))).toMatchObject({ exitCode: 1 });
});

test("a refusal for want of a capability says so", async () => {
  const error = await failure(
    run("setpriv", ["--bounding-set=-net_admin", "--inh-caps=-net_admin", "ip", "link", "set", "lo", "mtu", "65536"]),
  );
  expect(error).toMatchObject({ code: "ERR_NOT_PERMITTED", message: expect.stringContaining("CAP_NET_ADMIN") });
});
