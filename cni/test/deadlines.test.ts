import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { errorOf, networkConfig, OPEN, plugin } from "./support/plugin.ts";
import { scratch, scriptedAgent } from "./support/scripted-agent.ts";

const mute = () => scriptedAgent(() => {});

test.each([
  ["ADD", 11],
  ["CHECK", 11],
  ["GC", 11],
  ["STATUS", 50],
])("%s waits deadlineSeconds for an agent that says nothing, and fails with %i", async (command, code) => {
  await using agent = await mute();
  const config = networkConfig({ socket: agent.socket, deadlineSeconds: 1, "cni.dev/valid-attachments": [] });
  const failed = await plugin(command, config);
  expect(errorOf(failed)).toMatchObject({ code, details: expect.stringContaining("waiting for the reply") });
  expect(failed.ms).toBeGreaterThan(950);
  expect(failed.ms).toBeLessThan(5000);
  expect(agent.requests).toHaveLength(1);
});

test("a reply that comes a byte at a time gains no time", async () => {
  await using agent = await scriptedAgent((socket) => {
    const drip = setInterval(() => socket.write(" "), 20);
    socket.on("close", () => clearInterval(drip));
  });
  const failed = await plugin("ADD", networkConfig({ socket: agent.socket, deadlineSeconds: 1 }));
  expect(errorOf(failed)).toMatchObject({ code: 11 });
  expect(failed.ms).toBeLessThan(5000);
});

test("DEL does not wait longer, and succeeds", async () => {
  await using agent = await mute();
  const done = await plugin("DEL", networkConfig({ socket: agent.socket, deadlineSeconds: 1 }));
  expect(done).toMatchObject({ exit: 0, stdout: "" });
  expect(done.ms).toBeGreaterThan(950);
});

test("a pod that does not need the agent waits two seconds for it", async () => {
  await using agent = await mute();
  const config = networkConfig({ socket: agent.socket, deadlineSeconds: 30, excludeNamespaces: ["shop"] });
  const done = await plugin("ADD", config);
  expect(done.exit).toBe(0);
  expect(done.ms).toBeGreaterThan(1900);
  expect(done.ms).toBeLessThan(10_000);
});

test("an agent that accepts nobody is given up after two seconds", async () => {
  using directory = scratch();
  const socket = join(directory.path, "cni.sock");
  const stops =
    "require('net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => process.kill(process.pid, 'SIGSTOP'))";
  const stopped = spawn(process.execPath, ["-e", stops, socket], { stdio: "ignore" });
  try {
    await expect.poll(() => readFileSync(`/proc/${stopped.pid}/stat`, "utf8")).toMatch(/^\d+ \(\S+\) T/);
    // A backlog of 1 holds two: net/unix/af_unix.c, unix_recvq_full().
    const waiting = [connect(socket), connect(socket)];
    await Promise.all(waiting.map((peer) => once(peer, "connect")));
    const failed = await plugin("ADD", networkConfig({ socket }));
    for (const peer of waiting) peer.destroy();
    expect(errorOf(failed)).toMatchObject({ code: 11, details: "too many wait to connect" });
    expect(failed.ms).toBeGreaterThan(1900);
    expect(failed.ms).toBeLessThan(10_000);
  } finally {
    stopped.kill("SIGKILL");
    await once(stopped, "close");
  }
});

test("stdin that does not end is given up after five seconds", async () => {
  const failed = await plugin("ADD", OPEN);
  expect(errorOf(failed)).toMatchObject({ code: 5, msg: expect.stringContaining("stdin") });
  expect(failed.ms).toBeGreaterThan(4900);
  expect(failed.ms).toBeLessThan(15_000);
});
