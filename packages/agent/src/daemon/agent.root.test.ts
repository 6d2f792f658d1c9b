import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseRecord } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import type { AttachedProgram } from "../kernel/attached-programs.ts";
import { type Status, statusSchema } from "../status/status-document.ts";
import { AS_NOBODY } from "../testing/as-nobody.ts";
import { eventually } from "../testing/eventually.ts";
import type { Finished } from "../testing/millrace.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";

const MEMBER = { "istio.io/dataplane-mode": "ambient" };

/** A node with a member, a proxy and a pod of another namespace. */
async function populated(settings: Readonly<Record<string, unknown>> = {}): Promise<PrivateNode> {
  const node = await PrivateNode.create(settings);
  await node.addPod("web", "198.18.77.11");
  await node.addPod("other", "198.18.77.12");
  await node.addPod("proxy", "198.18.77.20");
  node.manifest(
    "namespaces",
    objects.namespace("shop", MEMBER),
    objects.namespace("plain"),
    objects.namespace("istio-system"),
  );
  node.manifest("web", objects.pod("shop", "web", "198.18.77.11"));
  node.manifest("other", objects.pod("plain", "other", "198.18.77.12"));
  node.manifest("proxy", objects.pod("istio-system", "proxy", "198.18.77.20", { app: "ztunnel" }));
  return node;
}

const statusOf = ({ stdout }: Finished): Status => statusSchema.parse(JSON.parse(stdout));
const status = (node: PrivateNode) => node.millrace(["status", "--json"]);
/** What is attached to the node's veths, asked of the kernel by a process of its own. */
async function attached(node: PrivateNode): Promise<AttachedProgram[]> {
  const module = join(import.meta.dirname, "..", "kernel", "attached-programs.ts");
  const script = `console.log(JSON.stringify((await import(${JSON.stringify(module)})).attachedPrograms()))`;
  return JSON.parse(await node.exec(process.execPath, "--conditions=source", "--input-type=module", "--eval", script));
}

async function programs(node: PrivateNode): Promise<string[]> {
  return (await attached(node)).map((program) => `${program.interface} ${program.name}`).sort();
}

/** By their names. */
function threadsOf(pid: string): Map<string, string[]> {
  const names = readdirSync(`/proc/${pid}/task`).map((id) => readFileSync(`/proc/${pid}/task/${id}/comm`, "utf8"));
  return Map.groupBy(
    names.map((name) => name.trim()),
    (name) => name,
  );
}

const ATTACHED = ["h-proxy ztunnel_host_in", "h-web app_inbound", "h-web app_outbound"];

test("start, status, log, stop, start again, uninstall: a node's whole life", async () => {
  await using node = await populated();
  const pins = () => node.exec("find", join(node.directory, "bpf"));
  const unused = await pins();
  const at = (name: string) => join(node.directory, name);
  const ambient = () => readFileSync(at("ambient/config.json"), "utf8");

  {
    await using agent = node.agent();
    await agent.logged(/ info {2}ambient Writing ambient config: \{"ztunnelReady":false,"redirectMode":"ebpf"\}\n/);
    await agent.logged(/ info {2}ambient Writing ambient config: \{"ztunnelReady":true,"redirectMode":"ebpf"\}\n/);
    expect(ambient()).toBe('{"ztunnelReady":true,"redirectMode":"ebpf"}');
    expect(statSync(at("ambient/config.json")).mode & 0o777).toBe(0o644);
    expect(statSync(at("run/admin.sock")).mode & 0o777).toBe(0o600);

    const enrolled = await eventually(
      () => status(node),
      ({ code }) => code === EXIT.ok,
    );
    expect(enrolled).toMatchObject({ code: EXIT.ok, stderr: "" });
    const document = statusOf(enrolled);
    expect(document.agent).toMatchObject({ node: "n1", backend: "ebpf", redirectMode: "auto" });
    expect(document.workloads.map(({ namespace, name, state }) => `${namespace}/${name} ${state}`)).toEqual([
      "istio-system/proxy not a member",
      "plain/other not a member",
      "shop/web enrolled",
    ]);
    expect(document.workloads[2]).toMatchObject({ addresses: ["198.18.77.11"], problems: [], foreign: [] });
    expect(document.proxies).toMatchObject([{ name: "proxy", role: "active", state: "complete" }]);
    expect(document.watches).toMatchObject([{ name: "manifests", state: "synced" }]);
    expect(await programs(node)).toEqual(ATTACHED);

    const table = await node.millrace(["status", "--observe"]);
    expect(table.code).toBe(EXIT.ok);
    expect(table.stdout).toMatch(/^shop\/web +uid-web +198\.18\.77\.11 +ebpf +enrolled +/m);
    expect(table.stdout).toMatch(/^istio-system\/proxy +uid-prox +198\.18\.77\.20 +active +complete$/m);

    // Only one agent, and no uninstall under its feet.
    const second = await node.millrace(["agent"]);
    expect(second.code).toBe(EXIT.conflict);
    expect(second.stderr).toMatch(
      /^error ERR_AGENT_RUNNING: single instance did not start: process \d+ holds .*agent\.lock/,
    );
    // What waits for the kernel waits side by side.
    expect(threadsOf(/process (\d+) holds/.exec(second.stderr)?.[1] ?? "").get("libuv-worker")).toHaveLength(16);
    const uninstall = await node.millrace(["uninstall"]);
    expect(uninstall.code).toBe(EXIT.conflict);
    expect(uninstall.stderr).toMatch(/^error ERR_AGENT_RUNNING: process \d+ holds /);

    const outsider = await node.millrace(["status"], { prefix: ["setpriv", ...AS_NOBODY, "--"] });
    expect(outsider.code).toBe(EXIT.notCapable);
    expect(outsider.stderr).toMatch(/^error ERR_NOT_PERMITTED: .*\nhint {2}/);

    expect(await agent.stop("SIGTERM")).toEqual({ code: EXIT.ok, signal: null });
    expect(agent.output).toMatch(/agent is stopping, redirection stays reason=SIGTERM /);
  }

  // Without the agent: the data path runs, the log reads, the status says what is the matter.
  expect(await programs(node)).toEqual(ATTACHED);
  const gone = await status(node);
  expect(gone).toMatchObject({ code: EXIT.notRunning, stdout: "" });
  const log = await node.millrace(["log", "--jsonl"]);
  expect(log).toMatchObject({ code: EXIT.ok, stderr: "" });
  const records = log.stdout
    .trimEnd()
    .split("\n")
    .map((line) => parseRecord(JSON.parse(line)));
  expect(records.map(({ seq }) => seq)).toEqual(records.map((_, index) => index + 1));
  expect(records.at(-1)).toMatchObject({ type: "agent.stopped", data: { reason: "SIGTERM" } });
  const replayed = await node.millrace(["replay", "--verify"]);
  expect(replayed).toMatchObject({ code: EXIT.ok, stderr: "" });
  expect(replayed.stdout).toMatch(
    /^\d+ events replayed: [1-9]\d* intents and 1 snapshot the same, byte for byte\nsame decisions\n$/,
  );
  const story = await node.millrace(["replay", "--pod", "shop/web"]);
  expect(story.stdout).toMatch(
    / known +shop\/web pod\.observed .*[\s\S]* decided +shop\/web apply .*[\s\S]* done +shop\/web /,
  );
  const ofWeb = await node.millrace(["log", "--pod", "shop/web", "--type", "redirection.applied"]);
  expect(ofWeb.stdout).toMatch(/^ *\d+ \S+ redirection\.applied +workload\/uid-web apply intent \d+ [\d.]+ ms\n$/);
  const newest = await node.millrace(["log", "--limit", "2"]);
  expect(newest.stdout.split("\n")).toHaveLength(3);

  {
    // The next agent adopts: killed this time, which must not matter either.
    const before = await attached(node);
    await using agent = node.agent();
    await eventually(
      () => status(node),
      ({ code }) => code === EXIT.ok,
    );
    expect(await programs(node)).toEqual(ATTACHED);
    expect(await attached(node)).toEqual(before);
    await agent.stop("SIGKILL");
  }
  expect(await programs(node)).toEqual(ATTACHED);
  expect((await status(node)).stderr).toContain("nothing listens");

  const removal = await node.millrace(["uninstall", "--json"]);
  expect(removal).toMatchObject({ code: EXIT.ok, stderr: "" });
  expect(JSON.parse(removal.stdout)).toEqual({
    removed: expect.arrayContaining([
      expect.stringContaining("workload uid-web"),
      expect.stringContaining("active proxy"),
    ]),
    left: [],
    kept: [expect.stringContaining("event log")],
    unseen: [],
  });
  expect(await programs(node)).toEqual([]);
  expect(await pins()).toBe(unused);
  const files = await node.exec("find", at("."), "-xdev", "-type", "f", "-not", "-path", "*/manifests/*");
  // SQLite keeps what a killed agent wrote last beside its file.
  const notLog = files
    .trimEnd()
    .split("\n")
    .filter((file) => !file.startsWith(at("lib/events.db")));
  expect(notLog).toEqual([at("config.json")]);
  expect(readdirSync(node.directory).sort()).toEqual(["bpf", "config.json", "lib", "manifests"]);

  const again = await node.millrace(["uninstall", "--purge"]);
  expect(again).toMatchObject({ code: EXIT.ok, stderr: "" });
  expect(again.stdout).toMatch(/^(removed event log .*events\.db\S*\n)+nothing of Millrace is left\n$/);
  const thrice = await node.millrace(["uninstall", "--purge"]);
  expect(thrice).toMatchObject({ code: EXIT.ok, stdout: "nothing of Millrace was here\n" });
}, 120_000);
