import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { link, openNetns, readSysctl, tryLockDirectory } from "linux-ts";
import { ScratchNetns } from "linux-ts/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PodInterface } from "../backend/contract.ts";
import { bridgeOf, isGone, runProgram, SysctlJournal } from "../host.ts";
import { silentLogger } from "../logger.ts";

const NAME = `mrch${process.pid}`;
const [HOST, BRIDGE] = [`mh${process.pid}`, `mb${process.pid}`];
const here = (...command: readonly string[]) => execFileSync(command[0] ?? "", command.slice(1), { encoding: "utf8" });

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-host-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("a pod's interface", () => {
  let pod: PodInterface;
  beforeEach(() => {
    here("ip", "netns", "add", NAME);
    here("ip", "link", "add", HOST, "type", "veth", "peer", "name", "eth0", "netns", NAME);
    using netns = openNetns(`/run/netns/${NAME}`);
    const hostIndex = Number(readFileSync(`/sys/class/net/${HOST}/ifindex`, "utf8"));
    pod = {
      netns: netns.path,
      netnsInode: netns.inode,
      name: "eth0",
      mac: "02:00:00:00:00:01",
      hostName: HOST,
      hostIndex,
    };
  });
  afterEach(() => {
    for (const name of [BRIDGE, HOST]) if (existsSync(`/sys/class/net/${name}`)) here("ip", "link", "del", name);
    if (existsSync(`/run/netns/${NAME}`)) here("ip", "netns", "del", NAME);
  });

  test("is there until its link, or its namespace, is another one", () => {
    expect(isGone(pod)).toBe(false);
    expect(isGone({ ...pod, netnsInode: pod.netnsInode + 1 })).toBe(true);
    here("ip", "link", "set", HOST, "name", BRIDGE);
    expect(isGone(pod)).toBe(true);
  });

  test("is a port of a bridge, or is not", () => {
    expect(bridgeOf(pod)).toBeUndefined();
    here("ip", "link", "add", BRIDGE, "type", "bridge");
    here("ip", "link", "set", HOST, "master", BRIDGE);
    expect(bridgeOf(pod)).toMatchObject({ name: BRIDGE, kind: "bridge" });
    here("ip", "link", "del", HOST);
    expect(() => bridgeOf(pod)).toThrow(expect.objectContaining({ code: "ERR_INTERFACE_GONE" }));
  });
});

describe("a program", () => {
  test("runs in the namespace it is given, with its input, and without any in ours", async () => {
    using netns = new ScratchNetns();
    const own = link(undefined, 1)?.name;
    await runProgram(["ip", "-batch", "-"], { netns: netns.fd, input: "link add v0 type veth peer name v1\n" });
    expect(await runProgram(["ip", "-brief", "link"], { netns: netns.fd })).toContain("v0@v1");
    expect(own).toBe("lo");
    expect(await runProgram(["ip", "-brief", "link"])).not.toContain("v0@v1");
  });

  test("that fails, is not there, or is not wanted any more", async () => {
    await expect(runProgram(["ip", "link", "show", "none"])).rejects.toMatchObject({
      code: "ERR_PROGRAM_FAILED",
      message: expect.stringContaining('ip link show none: Device "none" does not exist.'),
    });
    await expect(runProgram(["no-such-program"])).rejects.toMatchObject({ code: "ERR_PROGRAM_MISSING" });
    const abort = new AbortController();
    const running = runProgram(["sleep", "1000"], { signal: abort.signal });
    abort.abort(new Error("not wanted"));
    await expect(running).rejects.toThrow("not wanted");
  });

  test("does not outlive who runs it", async () => {
    const source = `
      const { runProgram } = await import(${JSON.stringify(new URL("./run-program.ts", import.meta.url).href)});
      await runProgram(["sh", "-c", "echo $$ > ${directory}/pid; mv ${directory}/pid ${directory}/started; exec sleep 1000"]);
    `;
    const agent = spawn(process.execPath, ["--input-type=module", "--eval", source], { stdio: "inherit" });
    const started = join(directory, "started");
    await expect.poll(() => existsSync(started), { timeout: 50_000 }).toBe(true);
    const pid = Number(readFileSync(started, "utf8"));
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    agent.kill("SIGKILL");
    await once(agent, "exit");
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
  });
});

describe("a journal of sysctls that two processes share", () => {
  const change = (holder: string) => `
    const { SysctlJournal } = await import(${JSON.stringify(new URL("../host.ts", import.meta.url).href)});
    const { openNetns } = await import(${JSON.stringify(import.meta.resolve("linux-ts"))});
    const { silentLogger } = await import(${JSON.stringify(new URL("../logger.ts", import.meta.url).href)});
    const journal = new SysctlJournal(${JSON.stringify(directory)}, silentLogger);
    using netns = openNetns(process.argv[1]);
    for (let count = 0; count < 10; count += 1) {
      journal.change("${holder}", netns, [{ path: "net/ipv4/conf/lo/rp_filter", value: "2" }]);
      if (count < 9) journal.restore("${holder}", netns);
      journal.close();
    }
  `;

  test("keeps what each of them needs, and the last one puts it back", { timeout: 240_000 }, async () => {
    using netns = new ScratchNetns();
    const path = `/proc/${process.pid}/fd/${netns.fd}`;
    const before = readSysctl(netns.fd, "net/ipv4/conf/lo/rp_filter");
    expect(before).not.toBe("2");
    const node = ["--conditions=source", "--input-type=module", "--eval"];
    const both = ["one", "two"].map((holder) =>
      spawn(process.execPath, [...node, change(holder), path], { stdio: "inherit" }),
    );
    const ends = both.map((child) => once(child, "exit"));
    expect(await Promise.all(ends)).toEqual([
      [0, null],
      [0, null],
    ]);
    const journal = new SysctlJournal(directory, silentLogger);
    const now = () => readSysctl(netns.fd, "net/ipv4/conf/lo/rp_filter");
    const place = { fd: netns.fd, inode: Number(/\d+/.exec(here("stat", "-Lc", "%i", path))?.[0]) };
    expect(now()).toBe("2");
    journal.restore("one", place);
    expect(now()).toBe("2");
    journal.restore("two", place);
    expect(now()).toBe(before);
  });

  test("says so where another process does not let go", () => {
    const journal = new SysctlJournal(directory, silentLogger);
    mkdirSync(join(directory, "sysctl"));
    using _lock = tryLockDirectory(join(directory, "sysctl"));
    expect(() => journal.sweep()).toThrow(expect.objectContaining({ code: "ERR_JOURNAL_BUSY" }));
  });
});
