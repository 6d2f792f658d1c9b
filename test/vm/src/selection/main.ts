#!/usr/bin/env node
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  Agent,
  accountSince,
  cleanEnvironment,
  describeAccount,
  FAMILIES,
  Haproxy,
  Lab,
  type LabHost,
  type LabNode,
  tunnelsOf,
} from "@millrace/conformance";
import { z } from "zod";
import type { Choice, SelectionReport } from "./report.ts";
import { bothBackends, type Situation, takenAway, WITHOUT_SYS_ADMIN } from "./situations.ts";

const USAGE = `Usage: node test/vm/dist/selection/main.js <command> [options]

  selection                     take eBPF away in several ways, and look what redirectMode auto makes of it
  smoke                         capture out and in by both backends
      --attach tcx|clsact         how the ebpf backend attaches
      --flavour nft|legacy        which iptables the iptables backend uses
  --report <file.json>

Exit status: 0 when all passed, 1 when something failed, 2 for wrong usage.
`;
const ROOT = new URL("../../../../", import.meta.url);
const MILLRACE = [process.execPath, fileURLToPath(new URL("packages/agent/dist/main.js", ROOT))];
const REFUSE_BPF = fileURLToPath(new URL("packages/agent/test/refuse-bpf.c", ROOT));
const PORT = 8080;
/** The agent's exit status when no backend can do its work (packages/agent/src/exit-codes.ts). */
const NO_BACKEND = 3;

/** What the status says of the agent itself. */
const Selected = z.object({ backend: z.string(), selection: z.object({ reason: z.string() }) });

/** A node with one member and a proxy, and somebody outside. The agent is started in each situation, and uninstalled. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { report: { type: "string" }, attach: { type: "string" }, flavour: { type: "string" } },
  });
  const [command] = positionals;
  if (command !== "selection" && command !== "smoke") {
    process.stderr.write(USAGE);
    return 2;
  }
  const startedAt = new Date().toISOString();
  await using lab = await Lab.create({
    prefix: "sel",
    nodes: [{ pods: ["m1"], proxies: ["z1"] }],
    externals: ["world"],
  });
  const node = lab.node(1);
  for (const server of [lab.pod("m1"), lab.external("world")]) await (await server.endpoint()).listen(PORT);
  await using proxy = await Haproxy.start(lab.pod("z1"), { directory: join(node.paths.root, "proxy") });
  node.applyNode();
  node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
  node.applyNamespace("istio-system");
  for (const pod of node.pods) node.applyPod(pod);

  const choices: Choice[] = [];
  const note = (choice: Choice) => {
    choices.push(choice);
    const { passed, situation, backend, reason, captured, tunnel } = choice;
    const what = `${situation}: ${backend}, ${captured.join(", ") || "nothing"} captured, tunnel ${tunnel}`;
    process.stdout.write(`${passed ? "pass" : "FAIL"}  ${what}\n        ${reason}\n`);
    if (choice.failure !== undefined) process.stdout.write(`${choice.failure.replace(/^/gm, "        ")}\n`);
  };
  const { attach = "auto", flavour = "auto" } = values;
  const situations = command === "smoke" ? bothBackends(attach, flavour) : takenAway(node, buildRefuseBpf(node));
  for (const situation of situations) note(await choose(lab, proxy, situation));
  if (command === "selection") note(await refuse(node));

  const report: SelectionReport = {
    kernel: release(),
    commit: process.env.MILLRACE_COMMIT ?? "unknown",
    startedAt,
    choices,
  };
  if (values.report !== undefined) writeFileSync(values.report, `${JSON.stringify(report, undefined, 2)}\n`);
  const failed = choices.filter(({ passed }) => !passed).length;
  process.stdout.write(`${command}: ${choices.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

function buildRefuseBpf({ paths }: LabNode): string {
  const program = join(paths.root, "refuse-bpf");
  execFileSync("cc", ["-O2", "-o", program, REFUSE_BPF]);
  return program;
}

/** Starts the agent so, and looks whether the backend that serves works. */
async function choose(lab: Lab, proxy: Haproxy, situation: Situation): Promise<Choice> {
  const node = lab.node(1);
  const { paths } = node;
  const { name, expected, wrap, bpffs = paths.bpffs, redirectMode = "auto", backends = {} } = situation;
  const choice = { situation: name, expected, backend: "none", reason: "", captured: [] as string[], tunnel: "none" };
  try {
    await using agent = await Agent.start(node, {
      redirectMode,
      backends,
      command: [...wrap, ...MILLRACE],
      settings: { paths: { bpffs, journal: paths.journal, ambientConfig: paths.ambientConfig } },
    });
    await agent.untilActive(lab.pod("z1"));
    await agent.untilEnrolled(lab.pod("m1"));
    const { backend, selection } = Selected.parse((await agent.status()).agent);
    choice.backend = backend;
    choice.reason = selection.reason;
    const [member, world] = [lab.pod("m1"), lab.external("world")];
    for (const [from, to, frontend] of [
      [member, world, "outbound"],
      [world, member, "inbound"],
    ] as const) {
      for (const family of FAMILIES) {
        await expectCaptured(proxy, from, to, family, frontend);
        choice.captured.push(`${frontend} IPv${family}`);
      }
    }
    choice.tunnel = await tunnelInUse(node);
    if (choice.backend !== expected) throw new Error(`${choice.backend} serves, ${expected} should`);
    if (expected === "iptables" && choice.tunnel === "none") throw new Error("no packet went over a tunnel");
    await expectNoDrift(agent);
    await agent.stop();
    const removed = await agent.millrace("uninstall", "--purge");
    if (removed.status !== 0)
      throw new Error(`millrace uninstall ended with ${removed.status}: ${removed.stdout}${removed.stderr}`);
    return { ...choice, passed: true };
  } catch (error) {
    return { ...choice, passed: false, failure: String(error) };
  }
}

/** What a backend finds is what it made: a kernel may do more than it was asked for (Geneve sets the MTU anew when a tunnel is led elsewhere). */
async function expectNoDrift(agent: Agent): Promise<void> {
  const { status, stdout, stderr } = await agent.millrace("log", "--jsonl", "--type", "drift.found");
  if (status !== 0) throw new Error(`millrace log ended with ${status}: ${stdout}${stderr}`);
  if (stdout !== "") throw new Error(`the agent found drift that nobody caused: ${stdout}`);
}

/** Kind of the tunnel, and packets over both devices both ways. */
async function tunnelInUse({ namespace }: LabNode): Promise<string> {
  const used = (await tunnelsOf(namespace)).filter(({ received, sent }) => received + sent > 0);
  const packets = used.reduce((sum, { received, sent }) => sum + received + sent, 0);
  return packets === 0 ? "none" : `${[...new Set(used.map(({ kind }) => kind))].join(", ")}, ${packets} packets`;
}

async function expectCaptured(
  proxy: Haproxy,
  from: LabHost,
  to: LabHost,
  family: 4 | 6,
  frontend: "outbound" | "inbound",
): Promise<void> {
  const since = proxy.mark();
  const host = to.address(family);
  const outcome = await (await from.endpoint()).ask("report", { host, port: PORT });
  if (!outcome.ok) throw new Error(`${from.name} → ${host}: ${JSON.stringify(outcome)}`);
  const records = await proxy.awaitRecords({ source: from.address(family), destination: host }, since);
  const seen = records.map((record) => record.frontend).join(", ") || "nothing";
  if (seen !== frontend) throw new Error(`${from.name} → ${host}: the proxy saw ${seen} instead of ${frontend}`);
}

async function refuse({ namespace, paths }: LabNode): Promise<Choice> {
  const [file = "", ...args] = [...WITHOUT_SYS_ADMIN, ...MILLRACE, "agent", "--config", paths.agentConfig];
  const { status, stderr } = await namespace.run(file, args, { env: cleanEnvironment() });
  const reason = /^error (.*)$/m.exec(stderr)?.[1] ?? stderr;
  const passed = status === NO_BACKEND && reason.includes("ERR_NO_CAPABLE_BACKEND");
  return {
    situation: "CAP_BPF and CAP_SYS_ADMIN are dropped",
    expected: "none",
    backend: "none",
    reason,
    captured: [],
    tunnel: "none",
    passed,
    ...(passed ? {} : { failure: `status ${status}: ${stderr}` }),
  };
}

process.exitCode = await main();
const logs = accountSince(0);
if (logs.started > 0) process.stdout.write(`${describeAccount(logs)}\n`);
if (logs.missing > 0) process.exitCode = 1;
