import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import type { InstallState } from "./state.ts";
import { LIST, SINGLE, TestNode } from "./testing/node.test.kit.ts";

/**
 * System calls around which files or names change. A process is killed at the entry of each, without any hook in its code. What was
 * written is synced right after: a kill there stands for one at the write, whose number differs from run to run (libuv's own writes).
 */
const CALLS = ["fsync", "rename", "renameat2", "link", "unlink", "rmdir"];
const PROGRAM = join(import.meta.dirname, "testing", "install-program.ts");

type Verb = "install" | "uninstall";

function commandLine(node: TestNode, verb: Verb): string[] {
  return [process.execPath, "--conditions=source", PROGRAM, verb, JSON.stringify(node.options)];
}

/** The calls of one whole run, each with its ordinal among those of its name. */
function callsOf(node: TestNode, verb: Verb): [name: string, ordinal: number][] {
  const trace = join(node.directory, "trace");
  const [file, ...args] = ["strace", "-qq", "-o", trace, "-e", `trace=${CALLS.join()}`, ...commandLine(node, verb)];
  execFileSync(file as string, args);
  const counts = new Map<string, number>();
  const calls: [string, number][] = [];
  for (const line of readFileSync(trace, "utf8").split("\n")) {
    const name = /^(\w+)\(/.exec(line)?.[1];
    if (name === undefined) continue;
    const ordinal = (counts.get(name) ?? 0) + 1;
    counts.set(name, ordinal);
    calls.push([name, ordinal]);
  }
  rmSync(trace);
  return calls;
}

function killedAt(node: TestNode, verb: Verb, [name, ordinal]: [string, number]): void {
  const inject = ["-e", `trace=${name}`, "-e", `inject=${name}:signal=KILL:when=${ordinal}`];
  const command = ["-qq", "-o", "/dev/null", ...inject, ...commandLine(node, verb)];
  const { signal } = spawnSync("strace", command);
  expect(signal).toBe("SIGKILL");
}

/** A list of our own is made and removed by the same calls as what becomes of a single plugin's file. */
const CASES = [
  { what: "an entry in a list", file: "10-net.conflist", text: LIST },
  { what: "a single plugin's file", file: "10-net.conf", text: SINGLE },
];

test.each(CASES)(
  "killed at any call of an installation, $what: a runtime always finds a network, and run again it converges",
  async (one) => {
    const make = () => {
      const node = new TestNode();
      node.write(one.file, one.text, 0o640);
      chownSync(node.conf(one.file), 65534, 65534);
      return node;
    };
    using rehearsal = make();
    const before = normal(rehearsal);
    const calls = callsOf(rehearsal, "install");
    const installed = normal(rehearsal);
    expect(calls.length).toBeGreaterThan(10);
    for (const call of calls) {
      using node = make();
      killedAt(node, "install", call);
      expect(valid(node), `killed at ${call.join(" ")}`).toBe(true);
      expect(await node.install()).toMatchObject({ state: "installed" });
      expect(normal(node), `killed at ${call.join(" ")}`).toEqual(installed);
      expect(node.uninstall().left).toEqual([]);
      expect(normal(node), `killed at ${call.join(" ")}`).toEqual(before);
      expect(existsSync(node.options.journal)).toBe(false);
    }
  },
  300_000,
);

test.each(CASES)(
  "killed at any call of an uninstallation, $what: run again, all is as it was",
  async (one) => {
    const make = async () => {
      const node = new TestNode();
      node.write(one.file, one.text, 0o640);
      chownSync(node.conf(one.file), 65534, 65534);
      const before = normal(node);
      await node.install();
      return { node, before };
    };
    const rehearsal = await make();
    using _rehearsal = rehearsal.node;
    for (const call of callsOf(rehearsal.node, "uninstall")) {
      const { node, before } = await make();
      using _node = node;
      killedAt(node, "uninstall", call);
      expect(valid(node), `killed at ${call.join(" ")}`).toBe(true);
      expect(node.uninstall().left).toEqual([]);
      expect(normal(node), `killed at ${call.join(" ")}`).toEqual(before);
      expect(existsSync(node.options.journal)).toBe(false);
    }
  },
  300_000,
);

/** Runs an installation in which each call of this name is entered late, and does something before that. */
async function delayed(
  node: TestNode,
  name: string,
  ...steps: [when: () => boolean, action: () => void][]
): Promise<InstallState> {
  const inject = ["-e", `trace=${name}`, "-e", `inject=${name}:delay_enter=400ms`];
  const child = spawn("strace", ["-qq", "-o", "/dev/null", ...inject, ...commandLine(node, "install")]);
  const output = text(child.stdout);
  for (const [when, action] of steps) {
    await expect.poll(when, { interval: 5 }).toBe(true);
    action();
  }
  return JSON.parse(await output) as InstallState;
}

test("the owner writes its file between our look and our replacing it: what it wrote stays, with our entry", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  const newer = LIST.replace("1.5e3", "9000");
  const state = await delayed(node, "renameat2", [() => temporaries(node) > 0, () => renameOver(node, newer)]);
  expect(state).toMatchObject({ state: "installed", writes: 3 }); // the plugin, in vain, and again
  expect(node.types("10-net.conflist")).toEqual(["bridge", "millrace"]);
  expect(node.uninstall().left).toEqual([]);
  expect(node.read("10-net.conflist")).toBe(newer);
  expect(statSync(node.conf("10-net.conflist")).mode & 0o777).toBe(0o600);
});

test("the owner writes once more, into our file, while what it wrote before is put back: the last one stays, with our entry", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  const last = LIST.replace("1.5e3", "1234");
  const state = await delayed(
    node,
    "renameat2",
    [() => temporaries(node) > 0, () => renameOver(node, LIST.replace("1.5e3", "9000"))],
    [() => node.read("10-net.conflist").includes("millrace"), () => node.write("10-net.conflist", last)],
  );
  expect(state).toMatchObject({ state: "installed" });
  node.uninstall();
  expect(node.read("10-net.conflist")).toBe(last);
});

const temporaries = (node: TestNode): number => node.names().filter((name) => name.endsWith(".tmp")).length;

function renameOver(node: TestNode, text: string): void {
  node.write("theirs", text, 0o600);
  renameSync(node.conf("theirs"), node.conf("10-net.conflist"));
}

test("the owner writes its single plugin's file between our making a list of it and its removal: it is not lost", async () => {
  using node = new TestNode();
  node.write("10-net.conf", SINGLE);
  const newer = SINGLE.replace("1.5e3", "9000");
  const converted = () => node.names().includes("10-net.conflist");
  const state = await delayed(node, "rename", [converted, () => node.write("10-net.conf", newer)]);
  expect(state).toMatchObject({ state: "installed" });
  expect(node.names()).toEqual(["10-net.conflist"]);
  expect(node.uninstall().left).toEqual([]);
  expect(node.names()).toEqual(["10-net.conf"]);
  expect(node.read("10-net.conf")).toBe(newer);
});

/** The node's files without the directory that differs from node to node. */
function normal(node: TestNode): Record<string, string> {
  return Object.fromEntries(
    Object.entries(node.snapshot()).map(([path, file]) => [path.slice(node.directory.length), file]),
  );
}

/** Whether there is a whole network configuration, and every plugin of ours it names is there. */
function valid(node: TestNode): boolean {
  const [first] = node.names().filter((name) => /\.(conf|conflist)$/.test(name));
  if (first === undefined) return false;
  const text = node.read(first);
  JSON.parse(text);
  return (
    !text.includes("millrace") ||
    (readdirSync(node.options.cniBinDir).includes("millrace") && statSync(node.plugin).size > 0)
  );
}

test("an upgrade of the plugin that fails and fails: what stands there is known to be ours all the same", async () => {
  using node = new TestNode();
  const before = node.snapshot();
  await node.install();
  writeFileSync(node.options.pluginSource, "newer");
  for (let i = 0; i < 3; i++) {
    const inject = ["-e", "trace=renameat2", "-e", "inject=renameat2:error=EIO"];
    const command = ["-qq", "-o", "/dev/null", ...inject, ...commandLine(node, "install")];
    const state = JSON.parse(execFileSync("strace", command, { encoding: "utf8" })) as InstallState;
    expect(state).toMatchObject({ state: "failed", detail: expect.stringContaining("EIO") });
  }
  expect(readFileSync(node.plugin, "utf8")).toBe("the plugin");
  expect(node.uninstall().left).toEqual([]);
  expect(node.snapshot()).toEqual(before);
});
