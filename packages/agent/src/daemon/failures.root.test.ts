import { existsSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseRecord } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { eventually } from "../testing/eventually.ts";
import { spawnMillrace } from "../testing/millrace.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";

const MEMBER = { "istio.io/dataplane-mode": "ambient" };
const PLUGIN = join(import.meta.dirname, "..", "..", "test", "scripted-backend.ts");

/** A node whose backend does as files say. */
async function scripted(settings: object = {}): Promise<PrivateNode & { tell(name: string, what?: string): void }> {
  const node = await PrivateNode.create();
  const { directory } = node;
  node.configure({ redirectMode: "scripted", plugins: [PLUGIN], backends: { scripted: { directory } }, ...settings });
  return Object.assign(node, {
    tell(name: string, what?: string) {
      const file = join(directory, name);
      if (what === undefined) rmSync(file, { force: true });
      else writeFileSync(file, what);
    },
  });
}

async function addMember(node: PrivateNode): Promise<void> {
  await node.addPod("web", "198.18.77.11");
  node.manifest("namespaces", objects.namespace("shop", MEMBER));
  node.manifest("web", objects.pod("shop", "web", "198.18.77.11"));
}

test("a redirection that cannot be opened yet is tried again, and the status says why", async () => {
  await using node = await scripted();
  node.tell("scripted.open-fails", "EBUSY");
  await using agent = node.agent();
  await agent.logged(/redirection cannot be opened, will be tried again pauseMs=500 code=EBUSY/);
  const waiting = await node.millrace(["status"]);
  expect(waiting.code).toBe(EXIT.unhealthy);
  expect(waiting.stdout).toContain("! EBUSY: scripted: open: told to by scripted.open-fails");
  node.tell("scripted.open-fails");
  await agent.logged(/agent is running/);
  // That a call failed once is still told, as no complaint.
  expect((await node.millrace(["status"])).stdout).not.toContain("! EBUSY");
  expect(await agent.stop("SIGINT")).toEqual({ code: EXIT.ok, signal: null });
});

test("an agent that waits for its redirection can be stopped", async () => {
  await using node = await scripted();
  node.tell("scripted.open-fails", "EBUSY");
  await using agent = node.agent();
  await agent.logged(/pauseMs=1000/);
  expect(await agent.stop("SIGTERM")).toEqual({ code: EXIT.ok, signal: null });
});

test("what waiting cannot mend ends the start, and undoes it", async () => {
  await using node = await scripted();
  node.tell("scripted.open-fails", "EPERM");
  const { code, stderr } = await node.millrace(["agent"]);
  expect(code).toBe(EXIT.notCapable);
  expect(stderr).toMatch(
    /^error EPERM: redirection did not start: scripted: open: told to by scripted.open-fails\nhint {2}Run as root/,
  );
  expect(existsSync(join(node.directory, "run/admin.sock"))).toBe(false);
  const log = await node.millrace(["log"]);
  expect(log.stdout).toMatch(/ agent\.stopped +agent the agent did not start completely\n$/);
});

test("a backend that was named and cannot is not replaced: without a BPF file system ebpf does not start", async () => {
  await using node = await PrivateNode.create({ redirectMode: "ebpf" });
  await node.exec("umount", join(node.directory, "bpf"));
  const { code, stderr } = await node.millrace(["agent"]);
  expect(code).toBe(EXIT.notCapable);
  expect(stderr).toMatch(/^error ERR_NO_CAPABLE_BACKEND: .*bpf\.fs.*\nhint {2}`millrace doctor`/);
  const uninstall = await node.millrace(["uninstall"]);
  // No agent has redirected here, and the kernel's list of programs shows nothing either, so no backend is asked.
  expect(uninstall.code).toBe(EXIT.ok);
  expect(uninstall.stdout).toMatch(/^nothing of Millrace was here$/m);
});

test("a misspelt backend in the configuration, and a mistake in a backend's own", async () => {
  await using node = await PrivateNode.create({ backends: { ebfp: {} } });
  const misspelt = await node.millrace(["agent"]);
  expect(misspelt).toMatchObject({ code: EXIT.usage });
  expect(misspelt.stderr).toContain(
    "error ERR_CONFIG_INVALID: redirection did not start: backends.ebfp belongs to no plugin",
  );
  node.configure({ backends: { ebpf: { attach: "tcy" } } });
  const mistake = await node.millrace(["doctor"]);
  expect(mistake).toMatchObject({ code: EXIT.usage });
  expect(mistake.stderr).toMatch(/^error ERR_PLUGIN_CONFIG_INVALID: backends\.ebpf: /);
});

test("failed and partial members make the status unhealthy, until they are mended", async () => {
  await using node = await scripted();
  node.tell("scripted.apply-fails", "ENOSPC");
  await addMember(node);
  await using agent = node.agent();
  const failed = await eventually(
    () => node.millrace(["status"]),
    ({ stdout }) => / failed \(/.test(stdout),
  );
  expect(failed.code).toBe(EXIT.unhealthy);
  expect(failed.stdout).toMatch(/^shop\/web .* failed \(ENOSPC: .*told to by scripted.apply-fails, attempt \d+\)/m);

  node.tell("scripted.apply-fails");
  const pending = (stdout: string) => /enrolled/.test(stdout);
  expect(
    (
      await eventually(
        () => node.millrace(["status"]),
        ({ stdout }) => pending(stdout),
      )
    ).stdout,
  ).toContain("enrolled");

  node.tell("scripted.observe", "app_outbound is not attached");
  const partial = await eventually(
    () => node.millrace(["status", "--observe"]),
    ({ stdout }) => stdout.includes("app_outbound is not attached"),
  );
  expect(partial.code).toBe(EXIT.unhealthy);
  expect(partial.stdout).toContain("! shop/web: app_outbound is not attached\n");
  node.tell("scripted.observe");
  await agent.logged(/drift mended/);
});

test("while the kernel cannot be read nothing is enrolled, whoever asks", async () => {
  await using node = await scripted();
  await addMember(node);
  await using agent = node.agent();
  await agent.logged(/agent is running/);
  const status = (isGood: (stdout: string) => boolean) =>
    eventually(
      () => node.millrace(["status"]),
      ({ stdout }) => isGood(stdout),
    );
  await status((stdout) => stdout.includes(" enrolled "));

  node.tell("scripted.observe-fails", "EPERM");
  const refused = await node.millrace(["status", "--observe"]);
  expect(refused.code).not.toBe(EXIT.ok);
  const blind = await node.millrace(["status"]);
  expect(blind.code).toBe(EXIT.unhealthy);
  expect(blind.stdout).toMatch(
    /^! the kernel cannot be read: EPERM: .*told to by scripted.observe-fails; it was last read at /m,
  );
  expect(blind.stdout).toMatch(/^shop\/web .* unseen \(the kernel cannot be read now\)/m);
  expect((await node.millrace(["doctor"])).stdout).toMatch(/^warning +agent +the kernel cannot be read: EPERM: /m);

  // It is read again without anybody asking, sooner than the interval of 30 s has it.
  node.tell("scripted.observe-fails");
  expect((await status((stdout) => stdout.includes(" enrolled "))).stdout).not.toContain("cannot be read");
});

test("the CNI socket: a pod is enrolled when ADD is answered", async () => {
  await using node = await scripted();
  await addMember(node);
  await using agent = node.agent();
  await agent.logged(/agent is running/);
  const request = {
    version: 1,
    command: "ADD",
    containerId: "c-web",
    netns: "/run/netns/web",
    ifName: "eth0",
    pod: { namespace: "shop", name: "web", uid: "uid-web" },
    prevResult: {
      cniVersion: "1.0.0",
      interfaces: [{ name: "h-web" }, { name: "eth0", sandbox: "/run/netns/web" }],
      ips: [{ address: "198.18.77.11/32", interface: 1 }],
    },
  };
  const socket = connect(join(node.directory, "run/cni.sock"));
  socket.end(`${JSON.stringify(request)}\n`);
  expect(JSON.parse(await text(socket))).toEqual({ ok: true });
  const log = await node.millrace(["log", "--jsonl", "--pod", "web"]);
  const types = log.stdout
    .trimEnd()
    .split("\n")
    .map((line) => parseRecord(JSON.parse(line)).type);
  expect(types).toEqual(expect.arrayContaining(["interface.added", "redirection.requested", "redirection.applied"]));
});

test("log --follow shows events as they happen, and ends with SIGINT", async () => {
  await using node = await scripted();
  await using agent = node.agent();
  await agent.logged(/agent is running/);
  const follower = spawnMillrace(["log", "--follow", "--limit", "0", "--config", node.config], { prefix: node.inside });
  try {
    const output = text(follower.stdout);
    // Something is due every two seconds: from the first line on it is following.
    await new Promise((resolve) => follower.stdout.once("data", resolve));
    await addMember(node);
    await eventually(
      () => node.millrace(["log", "--type", "redirection.applied", "--pod", "web"]),
      ({ stdout }) => stdout !== "",
    );
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const end = new Promise((resolve) => follower.once("close", resolve));
    follower.kill("SIGINT");
    expect(await end).toBe(EXIT.ok);
    expect(await output).not.toContain("agent.started");
    expect(await output).toMatch(/ redirection\.applied +workload\/uid-web apply intent/);
  } finally {
    follower.kill("SIGKILL");
  }
});

test("log --follow goes on in the file that takes the place of the one it reads", async () => {
  await using node = await scripted();
  const path = join(node.directory, "lib/events.db");
  {
    await using agent = node.agent();
    await agent.logged(/agent is running/);
    await agent.stop("SIGTERM");
  }
  const follower = spawnMillrace(
    ["log", "--follow", "--type", "agent.started", "agent.stopped", "--config", node.config],
    {
      prefix: node.inside,
    },
  );
  let output = "";
  follower.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  const shows = (pattern: RegExp) =>
    eventually(
      async () => output,
      (text) => pattern.test(text),
    );
  try {
    expect(await shows(/agent\.stopped/)).toMatch(/agent\.started.*\n.*agent\.stopped/);
    node.settleLog();
    for (const file of ["", "-wal", "-shm"]) rmSync(`${path}${file}`, { force: true });
    await using agent = node.agent();
    await agent.logged(/agent is running/);
    await agent.stop("SIGTERM");
    expect(await shows(/(agent\.stopped[\s\S]*){2}/)).toMatch(/^(.* agent\.(started|stopped) .*\n){4}$/);
    const end = new Promise((resolve) => follower.once("close", resolve));
    node.settleLog();
    rmSync(path);
    follower.kill("SIGINT");
    expect(await end).toBe(EXIT.ok);
  } finally {
    follower.kill("SIGKILL");
  }
});

test("a full disk under standard output ends nothing, and what was not lost is written once there is room", async () => {
  await using node = await scripted();
  await node.exec(
    "sh",
    "-ec",
    'mkdir "$1/out"; mount -t tmpfs -o size=16k tmpfs "$1/out"; head -c 16k /dev/zero > "$1/out/filler"',
    "sh",
    node.directory,
  );
  await using agent = node.agent("sh", "-c", 'exec "$@" > "$0/out/log"', node.directory);
  await addMember(node);
  const status = await eventually(
    () => node.millrace(["status"]),
    ({ stdout }) => stdout.includes("enrolled"),
  );
  expect(status.stdout).toContain("enrolled");
  expect(await node.exec("cat", join(node.directory, "out/log"))).toBe("");
  await node.exec("rm", join(node.directory, "out/filler"));
  expect(await agent.stop("SIGTERM")).toMatchObject({ code: EXIT.ok });
  expect(await node.exec("cat", join(node.directory, "out/log"))).toMatch(
    /agent is starting[\s\S]*agent is running[\s\S]*agent has stopped/,
  );
});

test("JSON logs: one object per line", async () => {
  await using node = await scripted({ log: { format: "json" } });
  await using agent = node.agent();
  await agent.logged(/agent is running/);
  await agent.stop("SIGTERM");
  const lines = agent.output
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines[0]).toMatchObject({ level: "info", msg: "agent is starting", node: "n1" });
  expect(lines.find(({ component }) => component === "ambient")).toMatchObject({
    msg: 'Writing ambient config: {"ztunnelReady":false,"redirectMode":"scripted"}',
  });
});

test("an event log that cannot be written keeps nothing from being redirected", async () => {
  await using node = await scripted({ eventLog: { path: "/dev/null/events.db" } });
  node.logs.withoutLog = "it is nowhere";
  await addMember(node);
  await using agent = node.agent();
  const status = await eventually(
    () => node.millrace(["status"]),
    ({ stdout }) => stdout.includes("enrolled"),
  );
  expect(status.stdout).toContain("event log failing: /dev/null/events.db");
  expect(status.stdout).toContain("enrolled");
  await agent.stop("SIGTERM");
});
