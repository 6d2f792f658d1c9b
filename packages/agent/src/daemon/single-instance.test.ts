import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { becomeOnlyInstance, lockPath } from "./single-instance.ts";

let directory: string;
let socket: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-lock-"));
  socket = join(directory, "run", "admin.sock");
});
afterEach(() => rmSync(directory, { recursive: true }));

test("the second is refused, with the first one's pid, and may follow it", async () => {
  {
    using _first = await becomeOnlyInstance(socket);
    await expect(becomeOnlyInstance(socket)).rejects.toMatchObject({
      code: "ERR_AGENT_RUNNING",
      exit: 6,
      message: `process ${process.pid} holds ${lockPath(socket)}`,
    });
  }
  using _second = await becomeOnlyInstance(socket);
});

test("an agent that answers is respected even when somebody removed its lock", async () => {
  (await becomeOnlyInstance(socket))[Symbol.dispose]();
  rmSync(lockPath(socket));
  const server = createServer((_request, response) => response.end("{}")).listen(socket);
  try {
    await expect(becomeOnlyInstance(socket)).rejects.toMatchObject({ code: "ERR_AGENT_RUNNING" });
  } finally {
    server.close();
  }
  using _next = await becomeOnlyInstance(socket); // and the failed one let go of its lock
});

test("what a dead agent left is removed", async () => {
  (await becomeOnlyInstance(socket))[Symbol.dispose]();
  writeFileSync(socket, "");
  using _next = await becomeOnlyInstance(socket);
  expect(existsSync(socket)).toBe(false);
});
