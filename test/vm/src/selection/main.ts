#!/usr/bin/env node
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Agent, FAMILIES, Haproxy, Lab, type LabHost, type LabNode } from "@millrace/conformance";
import type { Choice, SelectionReport } from "./report.ts";
import { type Situation, situations, WITHOUT_SYS_ADMIN } from "./situations.ts";

const USAGE = "Usage: node test/vm/dist/selection/main.js run --report <file.json>\n";
const ROOT = new URL("../../../../", import.meta.url);
const MILLRACE = [process.execPath, fileURLToPath(new URL("packages/agent/dist/main.js", ROOT))];
const REFUSE_BPF = fileURLToPath(new URL("packages/agent/test/refuse-bpf.c", ROOT));
const PORT = 8080;
/** The agent's exit status when no backend can do its work (packages/agent/src/exit-codes.ts). */
const NO_BACKEND = 3;

/** A node with one member and a proxy, and somebody outside. The agent is started in each situation, and uninstalled. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { report: { type: "string" } } });
  if (positionals[0] !== "run") {
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
  const refuseBpf = join(node.paths.root, "refuse-bpf");
  execFileSync("cc", ["-O2", "-o", refuseBpf, REFUSE_BPF]);
  for (const server of [lab.pod("m1"), lab.external("world")]) await (await server.endpoint()).listen(PORT);
  await using proxy = await Haproxy.start(lab.pod("z1"), { directory: join(node.paths.root, "proxy") });
  node.applyNode();
  node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
  node.applyNamespace("istio-system");
  for (const pod of node.pods) node.applyPod(pod);

  const choices: Choice[] = [];
  const note = (choice: Choice) => {
    choices.push(choice);
    process.stdout.write(
      `${choice.passed ? "pass" : "FAIL"}  ${choice.situation}: ${choice.backend}: ${choice.reason}\n`,
    );
    if (choice.failure !== undefined) process.stdout.write(`${choice.failure.replace(/^/gm, "        ")}\n`);
  };
  for (const situation of situations(node, refuseBpf)) note(await choose(lab, proxy, situation));
  note(await refuse(node));

  const report: SelectionReport = {
    kernel: release(),
    commit: process.env.MILLRACE_COMMIT ?? "unknown",
    startedAt,
    choices,
  };
  if (values.report !== undefined) writeFileSync(values.report, `${JSON.stringify(report, undefined, 2)}\n`);
  const failed = choices.filter(({ passed }) => !passed).length;
  process.stdout.write(`selection: ${choices.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

/** Lets the agent choose, and looks whether what it chose works. */
async function choose(lab: Lab, proxy: Haproxy, { name, expected, wrap, bpffs }: Situation): Promise<Choice> {
  const node = lab.node(1);
  const { paths } = node;
  const captured: string[] = [];
  let backend = "none";
  let reason = "";
  try {
    await using agent = await Agent.start(node, {
      redirectMode: "auto",
      command: [...wrap, ...MILLRACE],
      settings: { paths: { bpffs: bpffs ?? paths.bpffs, journal: paths.journal, ambientConfig: paths.ambientConfig } },
    });
    await agent.untilActive(lab.pod("z1"));
    await agent.untilEnrolled(lab.pod("m1"));
    backend = (await agent.status()).agent.backend ?? "none";
    reason = await selectionReason(agent);
    const [member, world] = [lab.pod("m1"), lab.external("world")];
    for (const [from, to, frontend] of [
      [member, world, "outbound"],
      [world, member, "inbound"],
    ] as const) {
      for (const family of FAMILIES) {
        await expectCaptured(proxy, from, to, family, frontend);
        captured.push(`${frontend} IPv${family}`);
      }
    }
    if (backend !== expected) throw new Error(`${backend} serves, ${expected} should`);
    await agent.stop();
    const removed = await agent.millrace("uninstall", "--purge");
    if (removed.status !== 0) throw new Error(`millrace uninstall: ${removed.stderr}`);
    return { situation: name, expected, backend, reason, captured, passed: true };
  } catch (error) {
    return { situation: name, expected, backend, reason, captured, passed: false, failure: String(error) };
  }
}

/** The agent's own words, from its log. */
async function selectionReason(agent: Agent): Promise<string> {
  const { stdout, stderr } = await agent.millrace("log", "--jsonl", "--type", "backend.selected", "--limit", "1");
  if (stdout.trim() === "") throw new Error(`the log has no backend.selected: ${stderr}`);
  const { data } = JSON.parse(stdout) as { data: { reason: string } };
  return data.reason;
}

async function expectCaptured(
  proxy: Haproxy,
  from: LabHost,
  to: LabHost,
  family: 4 | 6,
  frontend: "outbound" | "inbound",
): Promise<void> {
  const since = proxy.records.length;
  const host = to.address(family);
  const outcome = await (await from.endpoint()).ask("report", { host, port: PORT });
  if (!outcome.ok) throw new Error(`${from.name} → ${host}: ${JSON.stringify(outcome)}`);
  const records = await proxy.awaitRecords({ source: from.address(family), destination: host }, since);
  const seen = records.map((record) => record.frontend).join(", ") || "nothing";
  if (seen !== frontend) throw new Error(`${from.name} → ${host}: the proxy saw ${seen} instead of ${frontend}`);
}

async function refuse({ namespace, paths }: LabNode): Promise<Choice> {
  const [file = "", ...args] = [...WITHOUT_SYS_ADMIN, ...MILLRACE, "agent", "--config", paths.agentConfig];
  const { status, stderr } = await namespace.run(file, args);
  const reason = /^error (.*)$/m.exec(stderr)?.[1] ?? stderr;
  const passed = status === NO_BACKEND && reason.includes("ERR_NO_CAPABLE_BACKEND");
  return {
    situation: "CAP_BPF and CAP_SYS_ADMIN are dropped",
    expected: "none",
    backend: "none",
    reason,
    captured: [],
    passed,
    ...(passed ? {} : { failure: `status ${status}: ${stderr}` }),
  };
}

process.exitCode = await main();
