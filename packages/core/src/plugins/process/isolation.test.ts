import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Redirection, Workload } from "../../backend/contract.ts";
import { type Logger, silentLogger } from "../../logger.ts";
import { veth } from "../../testing/scenario.ts";
import { BOUNDS, type Bounds } from "../bounded-call.ts";
import { createBackend } from "../create-backend.ts";
import type { PluginError } from "../plugin-error.ts";
import { isolatedPlugin } from "./isolated-plugin.ts";

/** Starting Node takes its time on a machine that has other things to do. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const NAUGHTY = fileURLToPath(new URL("../../testing/naughty-plugin.ts", import.meta.url));
const { data } = veth(1);
const workload: Workload = {
  uid: "uid-1",
  namespace: "shop",
  name: "pod-1",
  addresses: ["198.18.0.7"],
  interface: { netns: data.netns, netnsInode: 1, name: "eth0", mac: data.mac, hostName: "v", hostIndex: 1 },
  enrolExisting: "drain",
  dnsCapture: false,
  exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
};

/** Short where a plugin is to be given up, and long enough for a process to start on a busy machine. */
const impatient = (...verbs: (keyof Bounds["deadlinesMs"])[]): Bounds => ({
  deadlinesMs: { ...BOUNDS.deadlinesMs, ...Object.fromEntries(verbs.map((verb) => [verb, 500])) },
  graceMs: 500,
});

let directory: string;
let redirection: Redirection | undefined;
let failures: PluginError[];
let ends: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-naughty-"));
  [failures, ends, redirection] = [[], [], undefined];
});
afterEach(async () => {
  await redirection?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

interface Wish {
  readonly traces?: boolean;
  readonly deeds?: Record<string, string>;
  readonly bounds?: Bounds;
  readonly silenceMs?: number;
  readonly log?: Logger;
}

async function backendThat({
  deeds = {},
  traces = true,
  bounds = BOUNDS,
  silenceMs = 60_000,
  log = silentLogger,
}: Wish) {
  const ended = (_: string, reason: string) => ends.push(reason);
  const plugin = await isolatedPlugin(NAUGHTY, "./naughty", { log, bounds, silenceMs, ended });
  return createBackend(plugin, {
    backends: { naughty: { deeds, traces, diary: join(directory, "diary") } },
    policy: { failurePolicy: "closed", localDelivery: "direct" },
    host: { bpffs: "/sys/fs/bpf", journal: "/tmp/journal" },
    log,
    signal: new AbortController().signal,
    failed: (error) => failures.push(error),
    bounds,
  });
}

async function opened(wish: Wish): Promise<Redirection> {
  redirection = await (await backendThat(wish)).open();
  return redirection;
}

const diary = (): string[][] =>
  readFileSync(join(directory, "diary"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
const pids = (): number[] => [...new Set(diary().map(([pid]) => Number(pid)))];
const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe("a plugin in a process of its own", () => {
  test("does all that one in ours does", async () => {
    const backend = await backendThat({});
    expect(await backend.probe()).toEqual({ features: [], capable: true, summary: "everything is there" });
    const fd = openSync("/proc/self/ns/net", "r");
    const traces = await backend.traces?.([
      { fd: undefined, name: "node" },
      { fd, name: "pod" },
    ]);
    closeSync(fd);
    expect(traces?.map(({ kind, where }) => [kind, where])).toEqual([
      ["undefined", "node"],
      ["number", "pod"],
    ]);
    redirection = await backend.open();
    expect(Object.keys(redirection)).toEqual(expect.arrayContaining(["handOver", "observeWorkloads"]));
    expect(redirection.withdraw).toBeUndefined();
    await redirection.useNode({ addresses: ["198.19.0.1"] });
    await redirection.apply(workload);
    expect((await redirection.observe()).nodeAddresses).toEqual(["198.19.0.1"]);
    expect(await redirection.observeWorkloads?.(new Set(["uid-1"]))).toMatchObject([{ uid: "uid-1" }]);
    let asked = 0;
    await redirection.handOver?.("uid-1", async () => {
      asked += 1;
    });
    expect(asked).toBe(1);
    await expect(redirection.handOver?.("uid-1", () => Promise.reject(new Error("not yet")))).rejects.toThrow(
      "naughty: hand over uid-1: not yet",
    );
    expect(pids()).not.toContain(process.pid);
  });

  test("that cannot tell what is left of it says so, and not that nothing is", async () => {
    const backend = await backendThat({ traces: false });
    expect(await backend.traces?.([{ fd: undefined, name: "node" }])).toBeUndefined();
  });

  test("says what is wrong with its configuration", async () => {
    await expect(backendThat({ deeds: { apply: "sing" } })).rejects.toMatchObject({
      code: "ERR_PLUGIN_CONFIG_INVALID",
      message: expect.stringMatching(/^backends\.naughty: .*deeds\.apply/s),
    });
  });

  test("ends with what it has open, also what it has leaked", async () => {
    const open = await opened({ deeds: { apply: "leak" } });
    await open.apply(workload);
    const [pid = 0] = pids();
    expect(isAlive(pid)).toBe(true);
    await open[Symbol.asyncDispose]();
    redirection = undefined;
    await expect.poll(() => isAlive(pid)).toBe(false);
    expect(ends).toEqual([]);
  });

  test("ends with the agent, also when it blocks", async () => {
    const source = `
      const { isolatedPlugin } = await import(${JSON.stringify(new URL("./isolated-plugin.ts", import.meta.url).href)});
      const { silentLogger: log } = await import(${JSON.stringify(new URL("../../logger.ts", import.meta.url).href)});
      const plugin = await isolatedPlugin(${JSON.stringify(NAUGHTY)}, "./naughty", { log });
      const config = { diary: ${JSON.stringify(join(directory, "diary"))}, deeds: { probe: "block" } };
      const signal = new AbortController().signal;
      await plugin.create({ config, policy: {}, host: {}, log, signal }).probe();
    `;
    const agent = spawn(process.execPath, ["--input-type=module", "--eval", source], { stdio: "inherit" });
    await expect.poll(() => existsSync(join(directory, "diary")), { timeout: 50_000 }).toBe(true);
    const [pid = 0] = pids();
    agent.kill("SIGKILL");
    await once(agent, "exit");
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

describe("the failure of a plugin that", () => {
  test.each([
    ["throws", "throw", { code: "ENODEV", message: "naughty: apply shop/pod-1: no such device" }],
    ["rejects", "reject", { code: "ERR_UNEXPECTED", message: "naughty: apply shop/pod-1: a string" }],
  ])("%s has its name and what it was doing", async (_, deed, expected) => {
    const open = await opened({ deeds: { apply: deed } });
    await expect(open.apply(workload)).rejects.toMatchObject({ plugin: "naughty", ...expected });
    expect(failures).toMatchObject([expected]);
    await open.remove("uid-1"); // and goes on
    expect(pids()).toHaveLength(1);
  });

  test.each([
    [
      "resolves to something else",
      "nonsense",
      "ERR_PLUGIN_RESULT",
      /^naughty: observe: what observe resolved to .*workloads/s,
    ],
    ["resolves to what cannot be copied", "uncloneable", "ERR_UNEXPECTED", /could not be cloned/],
  ])("%s is told", async (_, deed, code, message) => {
    const open = await opened({ deeds: { observe: deed } });
    await expect(open.observe()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test.each([
    ["exits", "exit", /ended with exit code 7/],
    ["throws what nobody catches", "stray", /it threw what nobody caught: nobody catches this/],
  ])("%s is told, and a new process has what the old one had", async (_, deed, message) => {
    const open = await opened({ deeds: { apply: deed } });
    await open.useNode({ addresses: ["198.19.0.1"] });
    const failure = { plugin: "naughty", code: "ERR_PLUGIN_PROCESS", message: expect.stringMatching(message) };
    await expect(open.apply(workload)).rejects.toMatchObject(failure);
    expect(ends).toEqual([expect.stringMatching(message)]);
    await open.remove("uid-1");
    const [first, second] = pids();
    const of = (pid: number | undefined) =>
      diary()
        .filter(([by]) => Number(by) === pid)
        .map(([, ...words]) => words.join(" "));
    expect(of(first)).toEqual(["open", "useNode 198.19.0.1", "apply"]);
    expect(of(second)).toEqual(["open", "useNode 198.19.0.1", "remove"]);
  });

  test("hangs is told at the deadline; its process is ended, because it does not heed the signal", async () => {
    const open = await opened({ deeds: { apply: "hang" }, bounds: impatient("apply") });
    await expect(open.apply(workload)).rejects.toMatchObject({
      code: "ERR_DEADLINE",
      message: "naughty: apply shop/pod-1: did not finish within 500 ms",
    });
    await open.remove("uid-1");
    expect(ends).toEqual(["apply went on after its deadline"]);
    expect(pids()).toHaveLength(2);
  });

  test("blocks its event loop is told, while ours turns and another one serves", async () => {
    const blocking = await opened({ deeds: { apply: "block" }, silenceMs: 8000 });
    const other = await (await backendThat({})).open();
    try {
      const order: string[] = [];
      const blocked = blocking.apply(workload).catch((error: unknown) => {
        order.push("blocked");
        return error;
      });
      await other.apply(workload);
      order.push("served");
      expect(await blocked).toMatchObject({
        code: "ERR_PLUGIN_PROCESS",
        message: expect.stringContaining("its event loop has stood still for 8000 ms"),
      });
      expect(order).toEqual(["served", "blocked"]);
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  test.each(["log", "print"])("%ss in a loop fills no log", async (deed) => {
    const lines: unknown[] = [];
    const counting: Logger = {
      ...silentLogger,
      info: (fields) => lines.push(fields),
      warn: (fields) => lines.push(fields),
      child: () => counting,
    };
    const open = await opened({ deeds: { apply: deed }, log: counting });
    await open.apply(workload);
    await open.remove("uid-1");
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.length).toBeLessThan(2000); // of 20,000
  });
});
