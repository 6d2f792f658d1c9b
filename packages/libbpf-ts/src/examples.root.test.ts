import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { PLAIN } from "./testing/environment.ts";
import { CONNECT, listen } from "./testing/listener.ts";
import { TestCgroup } from "./testing/test-cgroup.ts";
import { TestNetns } from "./testing/test-netns.ts";

const source = (name: string) => fileURLToPath(new URL(`../examples/${name}.ts`, import.meta.url));
const compiled = (name: string) => fileURLToPath(new URL(`../build/examples/${name}.bpf.o`, import.meta.url));

/** An example in a network namespace, with what it prints. */
class Example implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  output = "";

  constructor(netns: TestNetns, name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const node = [process.execPath, "--conditions=source", source(name), compiled(name), ...args];
    // A /sys of that namespace, where its devices are.
    const inside = `mount -t sysfs sysfs /sys && exec "$@"`;
    this.#child = spawn("nsenter", [`--net=${netns.path}`, "unshare", "--mount", "sh", "-c", inside, "sh", ...node], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...PLAIN, ...env },
    });
    this.#child.stdout?.on("data", (text) => {
      this.output += text;
    });
    this.#closed = once(this.#child, "close");
  }

  async ended(): Promise<string> {
    await this.#closed;
    return this.output;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }
}

test("count-packets: packets and bytes by protocol", async () => {
  using netns = new TestNetns();
  netns.addVeth();
  netns.run("ip", "neigh", "replace", "198.18.0.9", "lladdr", "02:00:00:00:00:09", "dev", "v0");
  await using example = new Example(netns, "count-packets", ["v0"]);
  await expect.poll(() => example.output).toContain("counting");
  netns.run("sh", "-c", "ping -c 3 -i 0.01 -s 100 -W 0.1 198.18.0.9 > /dev/null; true");
  example.signal("SIGINT");
  const line = /^0x0800: (\d+) packets, (\d+) bytes$/m.exec(await example.ended());
  expect(Number(line?.[1])).toBeGreaterThanOrEqual(3);
  expect(Number(line?.[2])).toBeGreaterThanOrEqual(3 * (14 + 20 + 8 + 100));
});

test("read-events: connections of a cgroup, from the ring buffer", async () => {
  using netns = new TestNetns();
  using cgroup = new TestCgroup();
  netns.run("ip", "link", "set", "lo", "up");
  await using _server = await listen(netns);
  await using example = new Example(netns, "read-events", [cgroup.path]);
  await expect.poll(() => example.output).toContain("watching");
  expect(cgroup.run(netns.path, CONNECT)).toBe(0);
  await expect.poll(() => example.output).toContain("OPENED 127.0.0.1:7777");
  example.signal("SIGINT");
  expect(await example.ended()).toMatch(/0 lost\n$/);
});

test("refuse-connections: a command that may not connect everywhere", async () => {
  using netns = new TestNetns();
  using cgroup = new TestCgroup();
  netns.run("ip", "link", "set", "lo", "up");
  await using _server = await listen(netns);
  const run = async (port: string) => {
    await using example = new Example(
      netns,
      "refuse-connections",
      [port, "--", "sh", "-c", `${CONNECT}; echo status $?`],
      {
        CGROUP2: cgroup.path,
      },
    );
    return await example.ended();
  };
  expect(await run("7777,7778")).toMatch(/^status 7\n(port 777[78]: [01] refused\n){2}$/);
  expect(await run("7778")).toBe("status 0\nport 7778: 0 refused\n");
  expect(readdirSync(cgroup.path).filter((name) => name.startsWith("refuse-"))).toEqual([]);
});
