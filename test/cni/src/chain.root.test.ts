import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { scriptedEngine, startAgent } from "./agent.ts";
import { builtPrograms, Runtime } from "./runtime.ts";

const uid = "0b8d3e5c-1a2f-4c3d-9e8f-001122334455";
const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart;K8S_POD_UID=${uid}`;

let programs: string;
// A first build compiles a few hundred packages.
beforeAll(() => {
  programs = builtPrograms();
}, 600_000);

let engine: ReturnType<typeof scriptedEngine>;
beforeEach(() => {
  engine = scriptedEngine();
});

/** Debian's own plugins, of another version than those of go.mod. */
const debian = `${process.env.MILLRACE_CACHE ?? `${process.env.HOME}/.cache/millrace`}/containernetworking-plugins/usr/lib/cni`;

const firsts: [string, (runtime: Runtime) => object][] = [
  ["ptp", ({ ipam }) => ({ type: "ptp", ipam })],
  ["bridge", ({ ipam }) => ({ type: "bridge", bridge: "cni0", isGateway: true, ipam })],
];
const versions: [string, "module" | "debian"][] = [
  ["0.3.1", "module"],
  ["0.4.0", "module"],
  ["1.0.0", "module"],
  ["1.1.0", "module"],
  ["0.4.0", "debian"],
  ["1.0.0", "debian"],
];
const chains = firsts.flatMap(([name, first]) =>
  versions.map(([version, from]) => [name, version, from, first] as const),
);

test.each(chains)("behind %s in %s of the %s: a pod's life", async (_, version, from, first) => {
  if (from === "debian") expect(existsSync(debian), `${debian}: make setup unpacks it`).toBe(true);
  using runtime = new Runtime(programs, from === "debian" ? debian : undefined);
  await using agent = await startAgent(runtime, engine);
  const netns = runtime.addPod("cart");
  runtime.configure(version, first(runtime));

  const added = await runtime.cnitool("add", netns, args);
  expect(added).toMatchObject({ exit: 0, stderr: "" });
  const result = JSON.parse(added.stdout);
  const family = (digit: string) => (version < "1" ? { version: digit } : {});
  expect(result).toMatchObject({ cniVersion: version, interfaces: expect.any(Array) });
  expect(result.ips).toMatchObject([
    { address: expect.stringMatching(/^198\.18\.77\.\d+\/24$/), ...family("4") },
    { address: expect.stringMatching(/^2001:2:0:77::[0-9a-f]+\/64$/), ...family("6") },
  ]);
  if (version >= "1") for (const ip of result.ips) expect(ip).not.toHaveProperty("version");

  // What the agent read from the kernel while the chain was at our plugin is what the chain says.
  const bare = (address: string) => address.replace(/\/\d+$/, "");
  const inside = result.interfaces.find(({ sandbox }: { sandbox?: string }) => sandbox !== undefined && sandbox !== "");
  expect(inside).toMatchObject({ name: "eth0", sandbox: netns });
  expect(agent.events).toMatchObject([
    {
      type: "interface.added",
      data: {
        containerId: expect.stringMatching(/^cnitool-/),
        uid,
        namespace: "shop",
        name: "cart",
        netns,
        ifName: "eth0",
        mac: inside.mac,
        addresses: result.ips.map(({ address }: { address: string }) => bare(address)).sort(),
        source: "cni",
      },
    },
  ]);

  if (version !== "0.3.1") {
    expect(await runtime.cnitool("check", netns, args)).toEqual({ exit: 0, stdout: "", stderr: "" });
    expect(engine.check).toHaveBeenCalledWith(uid, expect.any(AbortSignal));
    engine.check.mockResolvedValue(["app_inbound is missing"]);
    const drifted = await runtime.cnitool("check", netns, args);
    expect(drifted).toMatchObject({ exit: 1, stderr: expect.stringContaining("app_inbound is missing") });
  }

  for (let i = 0; i < 2; i++) expect(await runtime.cnitool("del", netns, args)).toMatchObject({ exit: 0, stdout: "" });
  expect(agent.events.map(({ type }) => type)).toEqual(["interface.added", "interface.removed"]);
  expect(execFileSync("ip", ["-n", `${runtime.node}-cart`, "-j", "link"], { encoding: "utf8" })).not.toContain("eth0");
});

test("a pod that is not redirected does not start, and the chain takes back what it made", async () => {
  using runtime = new Runtime(programs);
  await using _agent = await startAgent(runtime, engine);
  const netns = runtime.addPod("cart");
  runtime.configure("1.1.0", { type: "ptp", ipam: runtime.ipam });
  engine.enrolment.mockResolvedValue({
    kind: "failed",
    attempts: 2,
    error: { code: "ERR_TEST", message: "the backend failed" },
  });
  const refused = await runtime.cnitool("add", netns, args);
  expect(refused).toMatchObject({ exit: 1, stdout: "", stderr: expect.stringContaining("the backend failed") });
  expect(await runtime.cnitool("del", netns, args)).toMatchObject({ exit: 0 });
});

test("STATUS and GC in 1.1.0, with the agent and without", async () => {
  using runtime = new Runtime(programs);
  const netns = runtime.addPod("cart");
  runtime.configure("1.1.0", { type: "ptp", ipam: runtime.ipam });
  expect(await runtime.cnitool("status", netns, args)).toMatchObject({
    exit: 1,
    stderr: expect.stringContaining("no answer"),
  });
  expect(await runtime.cnitool("gc", netns, args)).toMatchObject({
    exit: 1,
    stderr: expect.stringContaining("no answer"),
  });
  expect(await runtime.cnitool("add", netns, args)).toMatchObject({
    exit: 1,
    stderr: expect.stringContaining("no answer"),
  });
  expect(await runtime.cnitool("del", netns, args)).toMatchObject({ exit: 0 });

  await using agent = await startAgent(runtime, engine);
  expect(await runtime.cnitool("status", netns, args)).toEqual({ exit: 0, stdout: "", stderr: "" });
  engine.status.mockReturnValue("the watch is lost");
  expect(await runtime.cnitool("status", netns, args)).toMatchObject({
    exit: 1,
    stderr: expect.stringContaining("the watch is lost"),
  });
  engine.attachments.mockReturnValue([
    { containerId: "gone", uid: "u-gone", ifName: "eth0", netns: "/run/netns/mc-gone", netnsInode: 7 },
  ]);
  expect(await runtime.cnitool("gc", netns, args)).toMatchObject({ exit: 0 });
  expect(agent.events).toMatchObject([{ type: "interface.removed", data: { containerId: "gone", uid: "u-gone" } }]);
});

test("without the agent, the agent's own pod starts", async () => {
  using runtime = new Runtime(programs);
  const netns = runtime.addPod("agent");
  runtime.configure("1.0.0", { type: "ptp", ipam: runtime.ipam });
  const own = "K8S_POD_NAMESPACE=millrace-system;K8S_POD_NAME=millrace-agent-x7k2p;K8S_POD_UID=u1";
  expect(await runtime.cnitool("add", netns, own)).toMatchObject({
    exit: 0,
    stdout: expect.stringContaining("198.18.77."),
  });
  expect(await runtime.cnitool("del", netns, own)).toMatchObject({ exit: 0 });
});
