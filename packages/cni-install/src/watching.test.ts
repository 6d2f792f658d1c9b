import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { expect, test } from "vitest";
import { type InstallerOptions, watchInstallation } from "./installer.ts";
import { readInstallState } from "./state.ts";
import { LIST, SINGLE, TestNode } from "./testing/node.test.kit.ts";

const BY = ["bridge", "millrace"];

/** Looks when something is heard of only: the timer never comes round within a test. */
function watching(node: TestNode, options: Partial<InstallerOptions> = {}): AsyncDisposable {
  return watchInstallation({ ...node.options, settleMs: 5, rescanMs: 600_000, waitingMs: 600_000, ...options });
}

const state = (node: TestNode) => readInstallState(node.options.stateFile);
const installed = (node: TestNode, name: string) => expect.poll(() => node.types(name)).toEqual(BY);

test("waits for the primary, and follows whatever way it writes its file: created, in place, renamed over, removed", async () => {
  using node = new TestNode();
  await using _watching = watching(node);
  await expect.poll(() => state(node)?.state).toBe("waiting");

  node.write("10-net.conflist", LIST);
  await installed(node, "10-net.conflist");
  await expect.poll(() => state(node)?.state).toBe("installed");

  node.write("10-net.conflist", LIST.replace("1.5e3", "9000"));
  await installed(node, "10-net.conflist");
  expect(node.read("10-net.conflist")).toContain("9000");

  node.write("new", LIST);
  renameSync(node.conf("new"), node.conf("10-net.conflist"));
  await installed(node, "10-net.conflist");

  node.write("05-net.conf", SINGLE);
  await expect.poll(() => node.names()).toEqual(["05-net.conflist", "10-net.conflist"]);
  await expect.poll(() => node.read("10-net.conflist")).toBe(LIST);

  rmSync(node.conf("05-net.conflist"));
  await installed(node, "10-net.conflist");
});

test("a file that is being written in place is waited for: nobody else's gets the entry meanwhile", async () => {
  using node = new TestNode();
  await using _watching = watching(node, { settleMs: 150 });
  node.write("87-other.conflist", LIST);
  node.write("10-net.conflist", LIST);
  await installed(node, "10-net.conflist");
  const before = state(node)?.writes ?? 0;
  const file = openSync(node.conf("10-net.conflist"), "w");
  for (const part of LIST.match(/.{1,5}/gs) ?? []) {
    writeSync(file, part);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  closeSync(file);
  await installed(node, "10-net.conflist");
  await expect.poll(() => state(node)?.writes).toBe(before + 1);
  expect(node.read("87-other.conflist")).toBe(LIST);
});

test("the directory is replaced by another: it is found by time, and watched from then on", async () => {
  using node = new TestNode();
  await using _watching = watching(node, { rescanMs: 50, waitingMs: 50 });
  node.write("10-net.conflist", LIST);
  await installed(node, "10-net.conflist");
  rmSync(node.options.cniConfDir, { recursive: true });
  await expect.poll(() => state(node)?.state).toBe("waiting");
  mkdirSync(node.options.cniConfDir);
  node.write("20-net.conflist", LIST);
  await installed(node, "20-net.conflist");
});

test("a plugin that is removed or overwritten is put back", async () => {
  using node = new TestNode();
  await using _watching = watching(node);
  await expect.poll(() => state(node)?.state).toBe("waiting");
  const before = node.snapshot();
  rmSync(node.plugin);
  await expect.poll(() => node.snapshot()).toEqual(before);
  writeFileSync(node.plugin, "something else");
  await expect.poll(() => node.snapshot()).toEqual(before);
});

test("a quarrel with another installer ends, is told, and is won as soon as the other one gives in", async () => {
  using node = new TestNode();
  const limits = { most: 3, withinMs: 60_000, pauseMs: 300, longestPauseMs: 300 };
  await using _watching = watching(node, { limits });
  let quarrelling = true;
  let theirs = 0;
  const other = setInterval(() => {
    if (!quarrelling || (node.names().includes("10-net.conflist") && node.read("10-net.conflist") === LIST)) return;
    theirs += 1;
    node.write("other", LIST);
    renameSync(node.conf("other"), node.conf("10-net.conflist"));
  }, 5);
  try {
    await expect.poll(() => state(node)?.state).toBe("contended");
    expect(state(node)?.detail).toContain("somebody takes out again");
    // The plugin, three times the entry, and since then once each pause, however often the directory changes.
    const written = state(node)?.writes ?? 0;
    expect(written).toBeLessThanOrEqual(1 + limits.most);
    for (let change = 0; change < 20; change += 1) {
      node.write("unrelated", String(change));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect((state(node)?.writes ?? 0) - written).toBeLessThanOrEqual(3);
    expect(theirs).toBeLessThanOrEqual(limits.most + 4);
    // For a moment after each entry it is not: until the other one has taken that out.
    await expect.poll(() => state(node)?.state).toBe("contended");
    quarrelling = false;
    await expect.poll(() => state(node)?.state).toBe("installed");
    expect(node.types("10-net.conflist")).toEqual(BY);
  } finally {
    clearInterval(other);
  }
});

test("two of ours, that ought not to be there, do not quarrel", async () => {
  using node = new TestNode();
  await using _one = watching(node);
  await using _two = watching(node, {
    stateFile: `${node.options.stateFile}.two`,
    journal: `${node.options.journal}.two`,
  });
  node.write("10-net.conflist", LIST);
  await installed(node, "10-net.conflist");
  await new Promise((resolve) => setTimeout(resolve, 300));
  const writes = [node.options.stateFile, `${node.options.stateFile}.two`].map(
    (path) => readInstallState(path)?.writes ?? 0,
  );
  expect(writes[0] as number).toBeLessThanOrEqual(3);
  expect(writes[1] as number).toBeLessThanOrEqual(3);
  expect(node.types("10-net.conflist")).toEqual(BY);
});

test("what somebody writes at the same moment is never lost", async () => {
  using node = new TestNode();
  const limits = { most: 1e9, withinMs: 1, pauseMs: 1, longestPauseMs: 1 };
  await using _watching = watching(node, { settleMs: 0, limits });
  // Another process, so that its writes come between any two system calls of ours.
  const other = spawn(process.execPath, ["-e", REWRITING, node.options.cniConfDir, LIST], { stdio: "inherit" });
  const ended = new Promise((resolve) => other.on("close", resolve));
  expect(await ended).toBe(0);
  await expect
    .poll(() => node.list("10-net.conflist"))
    .toMatchObject({ round: 400, plugins: [{ type: "bridge" }, { type: "millrace" }] });
});

/** Writes the list again and again, each with the number of the round; the last one must be there in the end. */
const REWRITING = `
const { renameSync, writeFileSync } = require("node:fs");
const [directory, list] = process.argv.slice(1);
for (let round = 1; round <= 400; round += 1) {
  const text = list.replace("{", '{ "round": ' + round + ",");
  if (round % 3 === 0) writeFileSync(directory + "/10-net.conflist", text);
  else {
    writeFileSync(directory + "/other", text);
    renameSync(directory + "/other", directory + "/10-net.conflist");
  }
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, round % 4);
}
`;
