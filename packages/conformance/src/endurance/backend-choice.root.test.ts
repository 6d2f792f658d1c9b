import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Agent, type AgentOptions } from "../agent/agent.ts";
import { FAMILIES } from "../lab/addresses.ts";
import { fillBuiltInChains } from "../lab/built-in-chains.ts";
import { EscapeCounter } from "../lab/escape-counter.ts";
import { Lab } from "../lab/lab.ts";
import type { LabHost } from "../lab/lab-host.ts";
import { stampProxy } from "../lab/stamp.ts";
import { Haproxy } from "../programs/haproxy.ts";
import { compareSnapshots, type Snapshot, snapshot } from "../snapshot/snapshot.ts";

const PORT = 8080;
const MILLRACE = [
  process.execPath,
  "--conditions=source",
  fileURLToPath(new URL("../../../agent/src/main.ts", import.meta.url)),
];
const REFUSE_BPF = fileURLToPath(new URL("../../../agent/test/refuse-bpf.c", import.meta.url));

let lab: Lab;
let proxy: Haproxy;
let before: Snapshot;
let refuseBpf: string;

beforeAll(async () => {
  lab = await Lab.create({ prefix: "bc", nodes: [{ pods: ["m1"], proxies: ["z1"] }], externals: ["world"] });
  const node = lab.node(1);
  refuseBpf = join(node.paths.root, "refuse-bpf");
  execFileSync("cc", ["-O2", "-o", refuseBpf, REFUSE_BPF]);
  await stampProxy(lab.pod("z1"));
  for (const server of [lab.pod("m1"), lab.external("world")]) await (await server.endpoint()).listen(PORT);
  proxy = await Haproxy.start(lab.pod("z1"), { directory: join(node.paths.root, "proxy") });
  await fillBuiltInChains([node.namespace, lab.pod("z1").namespace], "nft");
  before = await snapshot(node);
  node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
  node.applyNamespace("istio-system");
  for (const pod of node.pods) node.applyPod(pod);
});
afterAll(() => lab[Symbol.asyncDispose]());

/** Dials out and in, in both families: the proxy takes each once, and no packet reaches a server past it. */
async function expectCaptured(): Promise<void> {
  const ways: [LabHost, LabHost, "outbound" | "inbound"][] = [
    [lab.pod("m1"), lab.external("world"), "outbound"],
    [lab.external("world"), lab.pod("m1"), "inbound"],
  ];
  for (const [from, to, frontend] of ways) {
    const counter = await EscapeCounter.start(to, from);
    for (const family of FAMILIES) {
      const mark = proxy.mark();
      const outcome = await (await from.endpoint()).ask("report", { host: to.address(family), port: PORT });
      expect(outcome).toMatchObject({ ok: true, value: { peer: from.address(family) } });
      const taken = await proxy.awaitRecords({ source: from.address(family), destination: to.address(family) }, mark);
      expect(taken.map((record) => record.frontend)).toEqual([frontend]);
    }
    expect((await counter.read()).packets).toBe(0);
    await counter.stop();
  }
}

interface Case {
  readonly name: string;
  /** Put before `millrace`. */
  readonly wrap: () => readonly string[];
  readonly bpffs?: () => string;
  readonly backend: "ebpf" | "iptables";
  /** What selection, log and doctor say of ebpf. */
  readonly reason: RegExp;
}

const cases: readonly Case[] = [
  {
    name: "nothing is taken away",
    wrap: () => [],
    backend: "ebpf",
    reason: /^first of the list, and capable; comes after it in the order: iptables$/,
  },
  {
    name: "no BPF file system is mounted",
    wrap: () => [],
    bpffs: () => {
      const plain = join(lab.node(1).paths.root, "plain");
      mkdirSync(plain, { recursive: true });
      return plain;
    },
    backend: "iptables",
    reason: /^first that is capable; passed over ebpf \(missing: bpf\.fs\)$/,
  },
  {
    name: "the BPF file system is read-only",
    wrap: () => [
      "unshare",
      "--mount",
      "--propagation",
      "private",
      "sh",
      "-ec",
      'mount -o remount,bind,ro "$0"; exec "$@"',
      lab.node(1).paths.bpffs,
    ],
    backend: "iptables",
    reason: /^first that is capable; passed over ebpf \(missing: bpf\.fs\)$/,
  },
  ...(["EPERM", "ENOSYS"] as const).map((errno) => ({
    name: `bpf(2) answers ${errno}`,
    wrap: () => [refuseBpf, errno],
    backend: "iptables" as const,
    reason: /^first that is capable; passed over ebpf \(missing: .*bpf\.syscall/,
  })),
  {
    // include/linux/capability.h, bpf_capable(): CAP_SYS_ADMIN, which every backend needs to enter pods, has it in itself.
    name: "CAP_BPF is dropped, CAP_SYS_ADMIN is not",
    wrap: () => ["setpriv", "--bounding-set=-bpf", "--inh-caps=-bpf", "--"],
    backend: "ebpf",
    reason: /^first of the list, and capable/,
  },
];

describe.each(cases)("redirectMode auto, where $name", ({ wrap, bpffs, backend, reason }) => {
  let agent: Agent;

  beforeAll(async () => {
    const node = lab.node(1);
    const { paths } = node;
    const options: AgentOptions = {
      redirectMode: "auto",
      command: [...wrap(), ...MILLRACE],
      settings: {
        paths: { bpffs: bpffs?.() ?? paths.bpffs, journal: paths.journal, ambientConfig: paths.ambientConfig },
      },
    };
    agent = await Agent.start(node, options);
    await agent.untilActive(lab.pod("z1"));
    await agent.untilEnrolled(lab.pod("m1"));
  });

  test(`${backend} serves; status, log and doctor say why`, async () => {
    const status = await agent.status();
    expect(status.agent).toMatchObject({ backend, selection: { reason: expect.stringMatching(reason) } });
    const log = await agent.millrace("log", "--jsonl", "--type", "backend.selected", "--limit", "1");
    expect(JSON.parse(log.stdout).data).toMatchObject({ mode: "auto", backend, reason: expect.stringMatching(reason) });
    const doctor = await agent.millrace("doctor", "--json");
    expect(doctor.status, doctor.stdout).toBe(0);
    expect(JSON.parse(doctor.stdout).selection).toMatchObject({ backend, reason: expect.stringMatching(reason) });
  });

  test("real traffic is captured, out and in, over IPv4 and IPv6", expectCaptured);

  test("uninstall leaves the node as it was", async () => {
    await agent.stop();
    const { status, stdout, stderr } = await agent.millrace("uninstall", "--purge");
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: "" });
    expect(compareSnapshots(before, await snapshot(lab.node(1)))).toEqual([]);
  });
});

test("without CAP_SYS_ADMIN no backend can enter a pod, and the agent says so instead of doing half of it", async () => {
  const { namespace, paths } = lab.node(1);
  const env = Object.fromEntries(
    Object.keys(process.env).flatMap((name) => (/^MILLRACE_/.test(name) ? [[name, undefined]] : [])),
  );
  const args = ["--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin", "--", ...MILLRACE];
  const { status, stderr } = await namespace.run("setpriv", [...args, "agent", "--config", paths.agentConfig], { env });
  expect(status, stderr).toBe(3);
  expect(stderr).toMatch(/^error ERR_NO_CAPABLE_BACKEND: .*ebpf: missing: capability\.CAP_BPF.*; iptables: /);
});
