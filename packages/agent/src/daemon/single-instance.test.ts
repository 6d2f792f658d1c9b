import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { becomeOnlyInstance, lockNode, lockPath, type NodePlaces } from "./single-instance.ts";

let directory: string;
let socket: string;
let places: NodePlaces;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-lock-"));
  socket = join(directory, "run", "admin.sock");
  places = { adminSocket: socket, journal: join(directory, "journal") };
});
afterEach(() => rmSync(directory, { recursive: true }));

test("the second is refused, with the first one's pid, and may follow it", async () => {
  {
    using _first = await becomeOnlyInstance(places);
    await expect(becomeOnlyInstance(places)).rejects.toMatchObject({
      code: "ERR_AGENT_RUNNING",
      exit: 6,
      message: `process ${process.pid} holds ${lockPath(socket)}`,
    });
  }
  using _second = await becomeOnlyInstance(places);
});

test("one with another admin socket is refused while the first has the journal, and may follow it", async () => {
  const other = { ...places, adminSocket: join(directory, "elsewhere", "admin.sock") };
  {
    using _first = await becomeOnlyInstance(places);
    await expect(becomeOnlyInstance(other)).rejects.toMatchObject({
      code: "ERR_AGENT_RUNNING",
      exit: 6,
      message: `another process holds the journal ${places.journal}: an agent with another admin socket`,
    });
  }
  using _second = await becomeOnlyInstance(other);
  // The refused one let go of its own lock, and the lock of the journal is no file in it.
  await expect(becomeOnlyInstance(places)).rejects.toMatchObject({ code: "ERR_AGENT_RUNNING" });
  expect(readdirSync(places.journal)).toEqual([]);
});

test("locking makes no journal, and takes nothing else for one", async () => {
  {
    using _lock = await lockNode(places);
    expect(existsSync(places.journal)).toBe(false);
  }
  writeFileSync(places.journal, "precious");
  await expect(becomeOnlyInstance(places)).rejects.toMatchObject({ code: "ERR_LOCK_PATH", exit: 2 });
  expect(readFileSync(places.journal, "utf8")).toBe("precious");
});

test("an agent that answers is respected even when somebody removed its lock", async () => {
  (await becomeOnlyInstance(places))[Symbol.dispose]();
  rmSync(lockPath(socket));
  const server = createServer((_request, response) => response.end("{}")).listen(socket);
  try {
    await expect(becomeOnlyInstance(places)).rejects.toMatchObject({ code: "ERR_AGENT_RUNNING" });
  } finally {
    server.close();
  }
  using _next = await becomeOnlyInstance(places); // and the failed one let go of its lock
});

/** A socket that nobody listens on, as a killed process leaves it. */
function deadSocket(path: string): void {
  execFileSync(process.execPath, [
    "-e",
    `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`,
  ]);
}

test("what a dead agent left is removed", async () => {
  (await becomeOnlyInstance(places))[Symbol.dispose]();
  expect(() => deadSocket(socket)).toThrow();
  expect(lstatSync(socket).isSocket()).toBe(true);
  using _next = await becomeOnlyInstance(places);
  expect(existsSync(socket)).toBe(false);
});

test("what is no socket is somebody's and stays", async () => {
  mkdirSync(dirname(socket));
  writeFileSync(socket, "precious");
  await expect(becomeOnlyInstance(places)).rejects.toMatchObject({ code: "ERR_SOCKET_PATH", exit: 2 });
  expect(readFileSync(socket, "utf8")).toBe("precious");
  rmSync(socket);
  using _next = await becomeOnlyInstance(places);
});

test("what is no lock is somebody's and stays", async () => {
  mkdirSync(dirname(socket));
  const precious = join(directory, "precious");
  writeFileSync(precious, "12\n");
  symlinkSync(precious, lockPath(socket));
  await expect(becomeOnlyInstance(places)).rejects.toMatchObject({ code: "ERR_LOCK_PATH", exit: 2 });
  expect(readFileSync(precious, "utf8")).toBe("12\n");
  rmSync(lockPath(socket));
  writeFileSync(lockPath(socket), "precious");
  await expect(becomeOnlyInstance(places)).rejects.toMatchObject({ code: "ERR_LOCK_PATH" });
  expect(readFileSync(lockPath(socket), "utf8")).toBe("precious");
});

test("somebody who does not answer as an agent is respected", async () => {
  mkdirSync(dirname(socket));
  const server = createTcpServer((connection) => connection.end("hello\n")).listen(socket);
  try {
    await expect(becomeOnlyInstance(places)).rejects.toMatchObject({ code: "ERR_SOCKET_IN_USE", exit: 6 });
    expect(existsSync(socket)).toBe(true);
  } finally {
    server.close();
  }
});
