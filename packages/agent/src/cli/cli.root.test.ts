import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXIT, EXIT_MEANINGS } from "../exit-codes.ts";
import { AS_NOBODY } from "../testing/as-nobody.ts";
import { commandLine, environment, millrace, spawnMillrace } from "../testing/millrace.ts";
import { recordedDay } from "../testing/recorded-day.ts";
import { VERSION } from "../version.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-cli-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

test("nothing asked for: help, on standard error", async () => {
  const { code, stdout, stderr } = await millrace([]);
  expect({ code, stdout }).toEqual({ code: EXIT.usage, stdout: "" });
  expect(stderr).toContain("Usage: millrace");
});

test.each([
  "",
  "agent",
  "doctor",
  "status",
  "explain",
  "events",
  "capture",
  "verify-clean",
  "log",
  "log export",
  "replay",
  "switch",
  "install",
  "uninstall",
  "version",
])("help of %j has examples and every exit code", async (command) => {
  const { code, stdout } = await millrace([...command.split(" ").filter((word) => word !== ""), "--help"]);
  expect(code).toBe(EXIT.ok);
  expect(stdout).toContain("Examples:\n  millrace");
  for (const [number, meaning] of EXIT_MEANINGS) expect(stdout).toContain(`  ${number}  ${meaning}`);
});

test("version", async () => {
  expect((await millrace(["--version"])).stdout).toBe(`${VERSION}\n`);
  expect((await millrace(["version"])).stdout).toMatch(new RegExp(`^millrace ${VERSION} \\(Node.js 24`));
  expect(JSON.parse((await millrace(["version", "--json"])).stdout)).toMatchObject({ millrace: VERSION });
});

test("events: where nothing tells of any, and with a verdict that is none", async () => {
  const nowhere = await millrace(["events", "--paths-bpffs", directory]);
  expect(nowhere).toMatchObject({ code: EXIT.notCapable, stdout: "" });
  expect(nowhere.stderr).toContain("error ERR_EVENTS_UNAVAILABLE: ");
  const { code, stderr } = await millrace(["events", "--paths-bpffs", directory, "--verdict", "lost"]);
  expect(code).toBe(EXIT.usage);
  expect(stderr).toMatch(/--verdict lost is none. Known: passed, captured,/);
});

test("an unknown command, with the likely one", async () => {
  const { code, stderr } = await millrace(["statsu"]);
  expect(code).toBe(EXIT.usage);
  expect(stderr).toMatch(/^error ERR_USAGE: unknown command 'statsu'\n\(Did you mean status\?\)/);
});

test("an unknown option, with the likely one", async () => {
  const { code, stderr } = await millrace(["status", "--jsn"]);
  expect(code).toBe(EXIT.usage);
  expect(stderr).toContain("error ERR_USAGE: unknown option '--jsn'\n(Did you mean --json?)");
});

test("an unknown setting in the file, with the likely one", async () => {
  const config = file("misspelt.yaml", "redirectMod: ebpf\n");
  const { code, stderr } = await millrace(["status", "--config", config]);
  expect(code).toBe(EXIT.usage);
  expect(stderr).toMatch(/^error ERR_CONFIG_INVALID: .*redirectMod is no setting\. Did you mean "redirectMode"\?\n/);
  expect(stderr).not.toMatch(/^\s+at /m);
});

test("--debug adds the stack", async () => {
  const { stderr } = await millrace(["status", "--debug", "--config", "/nonexistent.yaml"]);
  expect(stderr).toMatch(/^error ERR_CONFIG_UNREADABLE: /);
  expect(stderr).toMatch(/^\s+at /m);
});

test("the environment is heard, below the flags", async () => {
  const env = { MILLRACE_SOCKETS_ADMIN: "/nonexistent/from-env.sock" };
  expect((await millrace(["status"], { env })).stderr).toContain("/nonexistent/from-env.sock");
  const flag = ["status", "--sockets-admin", "/nonexistent/from-flag.sock"];
  expect((await millrace(flag, { env })).stderr).toContain("/nonexistent/from-flag.sock");
});

test.each(["agent", "doctor"])("%s: an unknown redirectMode is a mistake in the configuration", async (command) => {
  const config = file(
    "mode.yaml",
    `redirectMode: ebfp\nsockets: { admin: ${directory}/a.sock, cni: ${directory}/c.sock }\neventLog: { path: ${directory}/e.db }\n`,
  );
  const { code, stderr } = await millrace([command, "--config", config]);
  expect(code).toBe(EXIT.usage);
  expect(stderr).toMatch(/error ERR_REDIRECT_MODE_UNKNOWN: .*ebfp/);
});

test("status without an agent", async () => {
  const { code, stdout, stderr } = await millrace(["status", "--sockets-admin", join(directory, "none.sock")]);
  expect({ code, stdout }).toEqual({ code: EXIT.notRunning, stdout: "" });
  expect(stderr).toMatch(/^error ERR_AGENT_NOT_RUNNING: there is no agent's socket at .*none\.sock\nhint {2}/);
});

test("log without a log", async () => {
  const { code, stderr } = await millrace(["log", "--event-log-path", join(directory, "none.db")]);
  expect(code).toBe(EXIT.usage);
  expect(stderr).toMatch(/^error ERR_NO_EVENT_LOG: /);
});

test("a log is replayed from a pipe, by somebody who may do nothing, and without any native module", async () => {
  const log = file("day.jsonl", recordedDay().jsonl);
  const piped = ["sh", "-c", `cat ${log} | "$@"`, "sh"];
  const verify = await millrace(["replay", "--verify", "/dev/stdin"], {
    prefix: [...piped, "setpriv", ...AS_NOBODY, "--"],
  });
  expect(verify).toMatchObject({ code: EXIT.ok, stdout: expect.stringMatching(/^14 events replayed: 3 intents/) });
  const commands = ["sh", "-c", 'printf "n 4\\nq\\n" | "$@"', "sh"];
  const stepped = await millrace(["replay", "--step", log], { prefix: commands });
  expect(stepped.stdout).toMatch(/ decided +shop\/web-1 apply .*\n$/);
  const trace = join(directory, "trace");
  const strace = ["strace", "-f", "-o", trace, "-e", "trace=openat,bpf,socket"];
  expect((await millrace(["replay", "--verify", log], { prefix: strace })).code).toBe(EXIT.ok);
  expect(readFileSync(trace, "utf8")).not.toMatch(/\.node"|bpf\(|AF_NETLINK/);
  const refused = await millrace(["replay", "--accept", "/dev/stdin"], { prefix: piped });
  expect(refused.stderr).toMatch(/^error ERR_ACCEPT_LOG: \/dev\/stdin is no file/);
});

test("a reader that goes away is no error", async () => {
  const [executable, ...args] = commandLine(["agent", "--help"]);
  const child = spawn(executable, args, { stdio: ["ignore", "pipe", "pipe"], env: environment() });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += String(chunk);
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect({ code, stderr }).toEqual({ code: EXIT.ok, stderr: "" });
});

test("output that cannot be written is one line of error", async () => {
  const prefix = ["sh", "-c", 'exec "$@" >/dev/full', "sh"];
  for (const args of [["version"], ["--help"], ["agent", "--help"]]) {
    const { code, stderr } = await millrace(args, { prefix });
    expect(code).toBe(EXIT.unexpected);
    expect(stderr).toMatch(/^error ERR_OUTPUT: the output cannot be written: .*ENOSPC.*\nhint {2}.*\n$/);
  }
});

test("an interrupt ends a command that waits for an agent that does not answer", async () => {
  const socket = join(directory, "silent.sock");
  const server = createServer();
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const connections: Socket[] = [];
  server.on("connection", (connection) => {
    connections.push(connection);
    resolve();
  });
  server.listen(socket);
  try {
    const child = spawnMillrace(["status", "--sockets-admin", socket]);
    const closed = new Promise((done) => child.on("close", (code, signal) => done({ code, signal })));
    await asked;
    child.kill("SIGINT");
    expect(await closed).toEqual({ code: null, signal: "SIGINT" });
  } finally {
    for (const connection of connections) connection.destroy();
    server.close();
  }
});

test("a path on the command line is meant from the working directory; an empty MILLRACE_CONFIG is none", async () => {
  const { code, stderr } = await millrace(["replay", "--event-log-path", "./none.db"], {
    env: { MILLRACE_CONFIG: "" },
  });
  expect(code).toBe(EXIT.usage);
  expect(stderr).toContain(`error ERR_NO_EVENT_LOG: there is no event log at ${join(process.cwd(), "none.db")}\n`);
});
